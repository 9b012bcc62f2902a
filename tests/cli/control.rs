//! `larder plugin swap`, `list` and `audit` against a host that runs: a process of its own, that calls its store without
//! a pause.

#![expect(clippy::unwrap_used, reason = "the machinery of the tests fails the test")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use larder_tests::plugin;
use serde_json::Value;

use crate::command::Larder;

/// A token as a person would make one.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A host in a process of its own.
struct Running {
    process: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it on the configuration of this folder, and waits until it calls.
    fn start(larder: &Larder) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_swapped-host"))
            .arg("larder.yaml")
            .current_dir(larder.path())
            .env_clear()
            .env("CONTROL_TOKEN", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let mut running = Self { process, out };
        assert_eq!(running.line(), "ready\n");
        running
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// Ends it, and sees that none of its calls failed.
    fn end(mut self) {
        drop(self.process.stdin.take());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success(), "{rest}");
        assert!(rest.starts_with("calls ") && rest.ends_with(" failed 0\n"), "{rest}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of a test that failed; one that ended is gone already.
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        }
    }
}

/// A configuration with a layer `pass` in front of a store in memory.
fn config(control: &str) -> Larder {
    Larder::with_config(&format!(
        "
        plugins: {{ pass: {{ path: {} }} }}
        stores: {{ data: {{ backend: memory, layers: [pass] }} }}
        {control}
        ",
        plugin("kv-pass").display()
    ))
}

/// The component, built another time.
fn another_build(larder: &Larder) {
    let mut bytes = std::fs::read(plugin("kv-pass")).unwrap();
    bytes.extend([0, 3, 1, b'b', 1]);
    larder.write("again.wasm", bytes);
}

fn listed(larder: &Larder, arguments: &[&str]) -> Value {
    let run = larder.run(&[&["plugin", "list", "--json"], arguments].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    serde_json::from_str(run.text().lines().next().unwrap_or_default()).unwrap()
}

#[test]
fn a_running_host_is_swapped_at_its_socket_while_it_is_called() {
    let larder = config("control: { socket: ./run/larder.sock }");
    another_build(&larder);
    let running = Running::start(&larder);
    let before = listed(&larder, &[]);
    assert_eq!((&before["name"], &before["generation"]), (&Value::from("pass"), &Value::from(1)));

    let run = larder.run(&["plugin", "swap", "pass", "again.wasm", "--json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let swapped: Value = serde_json::from_str(&run.text()).unwrap();
    assert_eq!(swapped["generation"], 2, "{swapped}");
    assert_eq!(swapped["from"], before["digest"]);
    // The same from anywhere, without the configuration.
    let after = listed(&larder, &["--control", "run/larder.sock"]);
    assert_eq!(after["digest"], swapped["to"]);
    assert_eq!(after["is_on_probation"], true);

    // What is broken is refused, with the host's own words and kind.
    let liar = plugin("kv-pass-liar");
    let run = larder.run(&["plugin", "swap", "pass", liar.to_str().unwrap()]);
    assert_eq!(run.code, 10, "{}", run.err);
    assert!(run.err.contains("the self-test failed"), "{}", run.err);
    let run = larder.run(&["plugin", "swap", "pass", "again.wasm", "--sha256", &"ab".repeat(32)]);
    assert_eq!(run.code, 8, "{}", run.err);
    larder.done(&["plugin", "release", "pass"]);
    larder.refused(&["plugin", "swap", "pas", "again.wasm"], 11, &["did you mean `pass`"]);

    let audit = larder.done(&["plugin", "audit"]);
    for part in ["\tpass\tswitch\tdone", "\tpass\tcanary\tfailed", "control socket, user "] {
        assert!(audit.contains(part), "no `{part}` in:\n{audit}");
    }
    // Other commands on the same configuration do not take the host's socket away.
    assert_eq!(larder.run(&["kv", "get", "nothing"]).code, 1);
    assert_eq!(listed(&larder, &[])["generation"], 2);
    running.end();
    assert!(!larder.path().join("run/larder.sock").exists(), "the host removed its socket");
}

#[cfg(unix)]
#[test]
fn a_socket_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let larder = config("control: { socket: ./run/larder.sock }");
    let running = Running::start(&larder);
    let mode = |path: &str| std::fs::metadata(larder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("run"), mode("run/larder.sock")), (0o700, 0o600));
    running.end();

    // In a folder that others can enter there is none.
    std::fs::set_permissions(larder.path().join("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_swapped-host"))
        .arg("larder.yaml")
        .current_dir(larder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("others can enter the folder") && said.contains("700"), "{said}");
}

#[test]
fn a_host_at_a_port_wants_its_token() {
    let port = larder_tests::servers::free_port().unwrap();
    let at = format!("127.0.0.1:{port}");
    let larder = config(&format!("control: {{ listen: '{at}', token: '${{CONTROL_TOKEN}}' }}"))
        .with_variable("CONTROL_TOKEN", TOKEN);
    another_build(&larder);
    let running = Running::start(&larder);
    let run = larder.run(&["plugin", "swap", "pass", "again.wasm"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.text().contains("generation  2"), "{}", run.text());

    let other = Larder::new();
    other.refused(&["plugin", "list", "--control", &at], 11, &["LARDER_CONTROL_TOKEN"]);
    let other = other.with_variable("LARDER_CONTROL_TOKEN", &TOKEN.replace('0', "1"));
    let said = other.refused(&["plugin", "list", "--control", &at], 8, &["denied", "token"]);
    assert!(!said.contains(TOKEN), "{said}");
    let other = other.with_variable("LARDER_CONTROL_TOKEN", TOKEN);
    assert_eq!(listed(&other, &["--control", &at])["generation"], 2);

    // What is no question is answered with an error, and the host lives.
    use std::io::Write as _;
    for rubbish in [&b"POST / HTTP/1.1\r\nhost: x\r\n\r\n"[..], b"{}\n", b"\xff\xfe\n", &[b'x'; 70_000]] {
        let mut stream = std::net::TcpStream::connect(&at).unwrap();
        if stream.write_all(rubbish).is_ok() {
            stream.shutdown(std::net::Shutdown::Write).unwrap_or_default();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap_or_default();
            assert!(answer.is_empty() || answer.contains("error"), "{answer}");
            assert!(!answer.contains("plugins"), "{answer}");
        }
    }
    assert_eq!(listed(&other, &["--control", &at])["generation"], 2);
    running.end();
}

#[test]
fn where_no_host_listens_the_error_says_so() {
    let larder = config("");
    larder.refused(&["plugin", "audit"], 11, &["control"]);
    larder.refused(&["plugin", "list", "--control", "no-such.sock"], 6, &["no host listens", "no-such.sock"]);
    let port = larder_tests::servers::free_port().unwrap();
    let larder = larder.with_variable("LARDER_CONTROL_TOKEN", TOKEN);
    larder.refused(&["plugin", "list", "--control", &format!("127.0.0.1:{port}")], 6, &["no host listens"]);
    larder.refused(&["plugin", "list", "--control", "192.0.2.1:80"], 11, &["loopback"]);
}

#[test]
fn a_control_section_that_is_wrong_is_refused_with_its_key() {
    for (control, says) in [
        ("{}", "one of `socket` and `listen`"),
        ("{ socket: a, listen: '127.0.0.1:1', token: '${T}' }", "one of `socket` and `listen`"),
        ("{ socket: a, token: '${T}' }", "control.token"),
        ("{ listen: '127.0.0.1:1' }", "control.token"),
        ("{ listen: '127.0.0.1:1', token: written }", "expected a reference"),
        ("{ listen: '127.0.0.1:1', token: '${SHORT}' }", "fewer than 16"),
        ("{ listen: '0.0.0.0:1', token: '${T}' }", "loopback"),
        ("{ listen: nowhere, token: '${T}' }", "127.0.0.1:7070"),
    ] {
        let larder = Larder::with_config(&format!("control: {control}"))
            .with_variable("T", TOKEN)
            .with_variable("SHORT", "short");
        let run = larder.run(&["config", "check"]);
        assert_eq!(run.code, 11, "{control}: {}", run.err);
        assert!(run.err.contains(says), "{control}: {}", run.err);
    }
}
