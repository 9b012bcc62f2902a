use super::*;

const PLUGINS: &str = "plugins: { p: { path: p.wasm }, q: { path: q.wasm } }\n";

fn plan(stores: &str) -> Result<Plan> {
    Config::from_yaml(&format!("{PLUGINS}stores: {stores}"))?.plan()
}

fn refused(stores: &str, key: &str, words: &str) {
    let error = plan(stores).expect_err(stores);
    assert_eq!(error.context("key"), Some(key), "{stores}: {error}");
    assert!(error.message().contains(words), "{stores}: {error}");
}

#[test]
fn a_store_says_what_it_does_and_the_plan_explains_it() {
    let plan = plan(
        "{ a: { backend: p, on_failure: miss }, b: { backend: q, on_failure: { fallback: c } }, c: memory://, \
           d: { backend: memory, layers: [p], on_failure: last-good } }",
    )
    .unwrap();
    assert_eq!(plan.stores["b"].on_failure, OnFailure::Fallback("c".to_owned()));
    assert_eq!(plan.plugins["p"].supervision.remedy, larder_wasm::Remedy::LastGood);
    assert_eq!(plan.plugins["q"].supervision.remedy, larder_wasm::Remedy::Wait);
    let shown = plan.to_string();
    for words in ["reads find nothing", "the store c takes reads and plain writes", "is put back"] {
        assert!(shown.contains(words), "no `{words}` in:\n{shown}");
    }
    let only = plan.only(&["b"]).unwrap();
    assert_eq!(only.stores.keys().collect::<Vec<_>>(), ["b", "c"], "a fallback comes along");
}

#[test]
fn what_would_be_a_lie_is_refused_with_its_key() {
    let at = "stores.a.on_failure";
    refused("{ a: { backend: memory, on_failure: miss } }", at, "only a store with a plugin");
    refused("{ a: { backend: p, on_failure: mis } }", at, "`miss`");
    refused("{ a: { backend: p, on_failure: { fallbck: b } } }", "stores.a.on_failure.fallbck", "`fallback`");
    refused("{ a: { backend: p, on_failure: {} } }", "stores.a.on_failure.fallback", "missing");
    refused("{ a: { backend: p, requires: [versions], on_failure: miss } }", at, "would be a lie");
    refused("{ a: { kind: blob, backend: p, on_failure: miss } }", at, "blob");
    refused(
        "{ a: { backend: p, on_failure: { fallback: spar } }, spare: memory:// }",
        at,
        "did you mean `spare`",
    );
    refused(
        "{ a: { backend: p, on_failure: { fallback: b } }, b: { kind: blob, backend: memory } }",
        at,
        "keeps blobs",
    );
    refused("{ a: { backend: p, on_failure: { fallback: a } } }", at, "circle");
    refused(
        "{ a: { backend: p, on_failure: { fallback: b } }, b: { backend: q, on_failure: { fallback: a } } }",
        "stores.b.on_failure",
        "circle: a -> b -> a",
    );
    refused(
        "{ a: { backend: p, on_failure: { fallback: b } }, b: { backend: memory, layers: [p] } }",
        at,
        "same plugin",
    );
}

#[test]
fn limits_have_ranges_and_near_names() {
    let refused = |plugin: &str, key: &str, words: &str| {
        let yaml = format!("plugins: {{ p: {{ path: p.wasm, {plugin} }} }}");
        let error = Config::from_yaml(&yaml).and_then(|config| config.plan()).expect_err(plugin);
        assert_eq!(error.context("key"), Some(key), "{plugin}: {error}");
        assert!(error.message().contains(words), "{plugin}: {error}");
    };
    refused("limits: { quue: 1 }", "plugins.p.limits.quue", "did you mean `queue`");
    refused("limits: { handles: 3 }", "plugins.p.limits.handles", "16 to 65536");
    refused("limits: { queue: 9999999 }", "plugins.p.limits.queue", "0 to 1000000");
    refused("limits: { tables: 0 }", "plugins.p.limits.tables", "1 to");
    refused("limits: { socket_bytes: 1 }", "plugins.p.limits.socket_bytes", "expected");
    refused("limits: { log_lines: -1 }", "plugins.p.limits.log_lines", "whole number");
    refused("limits: { deadline: 1s, compute: 2s }", "plugins.p.limits.compute", "up to the deadline");
    refused("supervision: { strikes: 0 }", "plugins.p.supervision.strikes", "1 to 1000");
    refused("supervision: { strike: 3 }", "plugins.p.supervision.strike", "did you mean `strikes`");
    refused(
        "supervision: { backoff: 10s, backoff_max: 5s }",
        "plugins.p.supervision.backoff_max",
        "`backoff` or more",
    );
    let yaml =
        "plugins: { p: { path: p.wasm, limits: { compute: 50ms, queue: 7 }, supervision: { strikes: 3 } } }";
    let plan = Config::from_yaml(yaml).unwrap().plan().unwrap();
    let plugin = &plan.plugins["p"];
    assert_eq!((plugin.limits.waiting_max, plugin.supervision.strikes_max), (7, 3));
    assert_eq!(plugin.limits.inline_budget, std::time::Duration::from_millis(50));
    assert!(plan.to_string().contains("7 callers that wait"), "{plan}");
}
