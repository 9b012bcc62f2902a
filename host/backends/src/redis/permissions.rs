//! Trying each command that a store needs when it opens, so that a user who may not run one is refused then, and not
//! in the middle of a script that has already changed something.

use larder_core::{Error, ErrorKind, Result};
use redis::{Value, cmd, pipe};

use super::{
    error::{Fault, Intent},
    layout::Layout,
    link::Link,
};

/// Runs every command that scripts run, in a form that changes nothing that anybody can see.
///
/// # Errors
/// `denied`, naming the command; and what keeps the server from being asked.
pub(super) async fn check(link: &Link, layout: &Layout) -> Result<()> {
    let (scratch, entry) = (&layout.scratch, &layout.entries);
    let mut commands = pipe();
    let mut tried = Vec::new();
    let mut attempt = |name: &'static str, arguments: &[&str]| {
        let mut command = cmd(name);
        command.arg(arguments);
        commands.add_command(command);
        tried.push(name);
    };
    // The name of an entry without a key is nobody's.
    attempt("GET", &[entry]);
    attempt("GETRANGE", &[entry, "0", "0"]);
    attempt("EXISTS", &[entry]);
    attempt("PTTL", &[entry]);
    attempt("SET", &[entry, "", "XX"]);
    attempt("TIME", &[]);
    attempt("ZADD", &[&layout.expiries, "XX", "0", ""]);
    attempt("ZREM", &[&layout.expiries, ""]);
    attempt("ZSCORE", &[&layout.index, ""]);
    attempt("ZRANGEBYLEX", &[&layout.index, "(", "(", "LIMIT", "0", "0"]);
    attempt("ZRANGEBYSCORE", &[&layout.expiries, "0", "0", "LIMIT", "0", "0"]);
    attempt("SCAN", &["0", "COUNT", "1"]);
    attempt("INCRBY", &[scratch, "0"]);
    attempt("DEL", &[scratch]);
    let answers = link.call_many(&commands).await.map_err(|fault| fault.into_error(Intent::Read))?;
    for (name, answer) in tried.into_iter().zip(answers) {
        let Value::ServerError(cause) = answer else { continue };
        let error = Fault::Refused(cause).into_error(Intent::Read);
        // Anything else is for the call that meets it: a server without memory can be read.
        if error.kind() == ErrorKind::Denied {
            return Err(Error::new(
                ErrorKind::Denied,
                "the ACL user may not run a command that a store needs",
            )
            .with("command", name));
        }
    }
    Ok(())
}
