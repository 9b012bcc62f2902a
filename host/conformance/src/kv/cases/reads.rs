//! `get` and `get_many`.

use bytes::Bytes;
use larder_core::{Capabilities, Key, limits::GET_MANY_MAX};

use crate::kv::{
    case::{Group, Verdict, case, ensure, same},
    stage::Stage,
};

pub(super) const GROUP: Group = Group {
    feature: "reads",
    needs: Capabilities::empty(),
    cases: &[
        case("a healthy store says so", |s| Box::pin(health(s))),
        case("a missing key is none, not an error", |s| Box::pin(missing(s))),
        case("get returns what was put", |s| Box::pin(returns_what_was_put(s))),
        case("get_many answers by position, with none for what is missing", |s| Box::pin(by_position(s))),
        case("get_many answers a key as often as it is asked for", |s| Box::pin(repeated(s))),
        case("get_many of no keys is an empty answer", |s| Box::pin(no_keys(s))),
        case("get_many of 1,000 keys answers all of them", |s| Box::pin(a_thousand_keys(s))),
        case("get_many and get agree on value, version and expiry", |s| Box::pin(agree(s))),
        case("a read that is cancelled costs nothing", |s| Box::pin(cancelled_read(s))),
    ],
};

async fn health(s: &Stage) -> Verdict {
    Ok(s.store.health().await?)
}

async fn missing(s: &Stage) -> Verdict {
    s.is_gone("missing").await?;
    s.put("other", "1").await?;
    s.is_gone("missing").await
}

async fn returns_what_was_put(s: &Stage) -> Verdict {
    s.put("users/42", "Ada").await?;
    s.holds("users/42", "Ada").await?;
    let expires_at = s.get("users/42").await?.and_then(|entry| entry.expires_at);
    same("the expiry of an entry put without one", expires_at, None)
}

async fn by_position(s: &Stage) -> Verdict {
    for name in ["b", "d", "a"] {
        s.put(name, name.to_owned()).await?;
    }
    let got = s.get_many(&["d", "missing", "a", "zzz", "b", "0"]).await?;
    let value = |text: &'static str| Some(Bytes::from(text));
    same("the answers", got, vec![value("d"), None, value("a"), None, value("b"), None])?;
    same("the answers for missing keys alone", s.get_many(&["x", "y"]).await?, vec![None, None])
}

async fn repeated(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    let one = Some(Bytes::from("1"));
    let got = s.get_many(&["a", "x", "a", "x", "a"]).await?;
    same("the answers", got, vec![one.clone(), None, one.clone(), None, one])
}

async fn no_keys(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    same("the answers", s.get_many(&[]).await?, vec![])
}

async fn a_thousand_keys(s: &Stage) -> Verdict {
    // Every third key is there, so that a store which drops or sorts its answers is seen.
    let name = |i: usize| format!("k{:04}", (i * 7) % GET_MANY_MAX);
    let there = |i: usize| i.is_multiple_of(3).then(|| Bytes::from(name(i)));
    s.fill((0..GET_MANY_MAX).filter_map(|i| there(i).map(|value| (name(i), value))).collect()).await?;
    let names: Vec<String> = (0..GET_MANY_MAX).map(name).collect();
    let got = s.get_many(&names.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    for (i, got) in got.into_iter().enumerate() {
        same(&format!("answer {i}"), got, there(i))?;
    }
    Ok(())
}

async fn agree(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    s.put("b", "2").await?;
    let keys = [Key::new("b")?, Key::new("a")?];
    let many = s.store.get_many(&keys).await?;
    ensure!(many.len() == keys.len(), "get_many of 2 keys answered {}", many.len());
    for (key, got) in keys.iter().zip(many) {
        same(key, got, s.get(key).await?)?;
    }
    Ok(())
}

async fn cancelled_read(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    let keys = [Key::new("a")?];
    for _ in 0..50 {
        for key in &keys {
            futures::future::select(s.store.get(key), futures::future::ready(())).await;
        }
        futures::future::select(s.store.get_many(&keys), futures::future::ready(())).await;
    }
    s.holds("a", "1").await
}
