//! Single puts and deletes, and the bytes of values.

use bytes::Bytes;
use larder_core::{Capabilities, Commit};

use crate::kv::{
    case::{Group, Verdict, case, ensure, same},
    stage::{Stage, key},
};

pub(super) const GROUP: Group = Group {
    feature: "writes",
    needs: Capabilities::empty(),
    cases: &[
        case("a put replaces the value", |s| Box::pin(replaces(s))),
        case("a write touches no other key", |s| Box::pin(touches_no_other(s))),
        case("a delete removes the entry and says that there was one", |s| Box::pin(deletes(s))),
        case("deleting what is not there succeeds and says so", |s| Box::pin(deletes_nothing(s))),
        case("a deleted key can be put again", |s| Box::pin(put_again(s))),
        case("an empty value is a value", |s| Box::pin(empty_value(s))),
        case("every byte is kept, also zeros and what is no UTF-8", |s| Box::pin(binary(s))),
        case("values of every size around powers of two come back whole", |s| Box::pin(sizes(s))),
        case("a commit of nothing succeeds", |s| Box::pin(nothing(s))),
        case("each write is read back at once", |s| Box::pin(reads_its_writes(s))),
        case("a commit that is cancelled leaves a whole value", |s| Box::pin(cancelled_commit(s))),
    ],
};

async fn replaces(s: &Stage) -> Verdict {
    s.put("a", "a long first value").await?;
    s.put("a", "2").await?;
    s.holds("a", "2").await?;
    s.put("a", "a longer third value than both").await?;
    s.holds("a", "a longer third value than both").await
}

async fn touches_no_other(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    s.put("b", "2").await?;
    s.delete("a").await?;
    s.holds("b", "2").await?;
    s.put("c", "3").await?;
    s.is_gone("a").await?;
    s.holds("b", "2").await
}

async fn deletes(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    // Read before, so that a store which remembers what it read is seen.
    s.holds("a", "1").await?;
    same("deleting an entry", s.delete("a").await?, true)?;
    s.is_gone("a").await
}

async fn deletes_nothing(s: &Stage) -> Verdict {
    same("deleting a key that never was", s.delete("a").await?, false)?;
    s.put("a", "1").await?;
    s.delete("a").await?;
    same("deleting a key twice", s.delete("a").await?, false)?;
    s.is_gone("a").await
}

async fn put_again(s: &Stage) -> Verdict {
    for value in ["1", "2", "3"] {
        s.put("a", value).await?;
        s.holds("a", value).await?;
        same("deleting it", s.delete("a").await?, true)?;
        s.is_gone("a").await?;
    }
    Ok(())
}

async fn empty_value(s: &Stage) -> Verdict {
    s.put("a", "").await?;
    s.holds("a", "").await?;
    same("get_many", s.get_many(&["a", "b"]).await?, vec![Some(Bytes::new()), None])?;
    same("deleting it", s.delete("a").await?, true)
}

async fn binary(s: &Stage) -> Verdict {
    let all: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 6] = [&all, b"\0", b"\xff\xfe\0\0", b"\xed\xa0\x80", b"\r\n\0", b"\"'\\"];
    for (i, value) in values.iter().enumerate() {
        let name = format!("v{i}");
        s.put(&name, Bytes::copy_from_slice(value)).await?;
        s.holds(&name, value).await?;
    }
    Ok(())
}

async fn sizes(s: &Stage) -> Verdict {
    for power in [6, 8, 12, 16, 20] {
        for size in [(1_usize << power) - 1, 1 << power, (1 << power) + 1] {
            if size <= s.description.value_bytes_max {
                let value = pattern(size);
                s.put("a", value.clone()).await?;
                s.holds("a", value).await?;
            }
        }
    }
    Ok(())
}

/// Bytes whose every part differs from the others, so that a lost or repeated part is seen.
pub(super) fn pattern(size: usize) -> Bytes {
    (0_u64..).flat_map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(size).collect()
}

async fn nothing(s: &Stage) -> Verdict {
    s.put("a", "1").await?;
    same("the outcomes", s.commit(&Commit::new()).await?, vec![])?;
    s.holds("a", "1").await
}

async fn reads_its_writes(s: &Stage) -> Verdict {
    for i in 0..32 {
        let value = i.to_string();
        s.put("a", value.clone()).await?;
        s.holds("a", &value).await?;
        same("get_many", s.get_many(&["a"]).await?, vec![Some(Bytes::from(value))])?;
    }
    s.delete("a").await?;
    s.is_gone("a").await
}

async fn cancelled_commit(s: &Stage) -> Verdict {
    s.put("a", "before").await?;
    let commit = Commit::new().put(key("a")?, pattern(1 << 16));
    futures::future::select(s.store.commit(&commit), futures::future::ready(())).await;
    let got = s.value("a").await?;
    let whole = got.as_deref() == Some(b"before") || got == Some(pattern(1 << 16));
    ensure!(whole, "neither the value before nor the one after, but {} bytes", got.map_or(0, |v| v.len()));
    // And the key is as writable as before, once the other commit is settled either way.
    s.put("b", "after").await?;
    s.holds("b", "after").await
}
