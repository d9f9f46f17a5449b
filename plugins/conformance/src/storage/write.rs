//! Writing: what is finished is there, what is not was never there.

use boxvault_plugin_sdk::{ByteRange, Bytes, Capabilities, PluginErrorKind, WriteOptions};
use futures_util::future::try_join_all;

use super::{Case, Entry, cases, ensure_kind, ensure_same};
use crate::{
    bytes::seeded,
    case::{Finding, Verdict, ensure, eventually},
};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        an_object_comes_back_as_it_was_written,
        an_empty_object_is_an_object,
        an_object_of_one_byte_comes_back,
        chunks_of_odd_sizes_come_back_in_order,
        nothing_is_visible_before_finish,
        a_wrong_size_hint_is_only_a_hint,
        abort_leaves_nothing,
        a_dropped_writer_leaves_nothing,
        a_key_can_be_written_after_an_abort,
        many_writers_at_once_do_not_mix,
        two_writers_of_one_key_leave_a_whole_object;
    CREATE_NEW:
        a_taken_key_is_refused;
};

pub(super) const REPLACE: &[Entry] =
    &[Entry::new("a_taken_key_is_replaced_in_one_step", Capabilities::NONE, |case| {
        Box::pin(a_taken_key_is_replaced_in_one_step(case))
    })
    .without(Capabilities::CREATE_NEW)];

async fn an_object_comes_back_as_it_was_written(case: Case) -> Verdict {
    let bytes = seeded(1, 3 * 1024 * 1024 + 123);
    let meta = case.put_in_chunks("object", &bytes, 256 * 1024).await?;
    ensure!(meta.size == bytes.len() as u64, "finish said {} bytes", meta.size);
    ensure_same(&case.get("object").await?, &bytes, "the object")
}

async fn an_empty_object_is_an_object(case: Case) -> Verdict {
    let meta = case.put("empty", &Bytes::new()).await?;
    ensure!(meta.size == 0, "finish said {} bytes", meta.size);
    ensure!(case.store.stat(&case.key("empty")).await?.size == 0, "stat says it is not empty");
    ensure_same(&case.get("empty").await?, b"", "the object")
}

async fn an_object_of_one_byte_comes_back(case: Case) -> Verdict {
    case.put("one", &Bytes::from_static(b"x")).await?;
    ensure_same(&case.get("one").await?, b"x", "the object")
}

async fn chunks_of_odd_sizes_come_back_in_order(case: Case) -> Verdict {
    let bytes = seeded(2, 2 * 1024 * 1024 + 77);
    let mut writer = case.store.open_writer(&case.key("odd"), WriteOptions::default()).await?;
    let mut rest = bytes.clone();
    for size in [1, 7, 0, 4095, 4097, 65_535, 1, 1024 * 1024 + 1].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        writer.write(rest.split_to(rest.len().min(size))).await?;
    }
    let meta = writer.finish().await?;
    ensure!(meta.size == bytes.len() as u64, "finish said {} bytes", meta.size);
    ensure_same(&case.get("odd").await?, &bytes, "the object")
}

async fn nothing_is_visible_before_finish(case: Case) -> Verdict {
    let key = case.key("slow");
    let mut writer = case.store.open_writer(&key, WriteOptions::default()).await?;
    writer.write(seeded(3, 1024 * 1024)).await?;
    ensure_invisible(&case, "slow").await?;
    writer.finish().await?;
    case.store.stat(&key).await?;
    Ok(())
}

async fn ensure_invisible(case: &Case, name: &str) -> Verdict {
    let key = case.key(name);
    ensure_kind(case.store.stat(&key).await, PluginErrorKind::NotFound, "stat")?;
    if let Ok(mut reader) = case.store.open_reader(&key, ByteRange::FULL).await {
        ensure_kind(reader.next().await, PluginErrorKind::NotFound, "reading")?;
    }
    if case.store.capabilities().contains(Capabilities::LIST) {
        let names = case.names("").await?;
        ensure!(names.is_empty(), "listed although unfinished: {names:?}");
    }
    Ok(())
}

async fn a_wrong_size_hint_is_only_a_hint(case: Case) -> Verdict {
    for (name, hint) in [("more", 10), ("less", 1 << 40)] {
        let bytes = seeded(4, 100_000);
        let options = WriteOptions::with_size_hint(Some(hint));
        let mut writer = case.store.open_writer(&case.key(name), options).await?;
        writer.write(bytes.clone()).await?;
        writer.finish().await?;
        ensure_same(&case.get(name).await?, &bytes, name)?;
    }
    Ok(())
}

async fn abort_leaves_nothing(case: Case) -> Verdict {
    let key = case.key("aborted");
    let mut writer = case.store.open_writer(&key, WriteOptions::default()).await?;
    writer.write(seeded(5, 1024 * 1024)).await?;
    writer.abort().await?;
    ensure_invisible(&case, "aborted").await
}

async fn a_dropped_writer_leaves_nothing(case: Case) -> Verdict {
    let key = case.key("dropped");
    let mut writer = case.store.open_writer(&key, WriteOptions::default()).await?;
    writer.write(seeded(6, 1024 * 1024)).await?;
    drop(writer);
    // Dropping does not wait; whatever becomes visible must become visible here.
    for _ in 0..20 {
        ensure_invisible(&case, "dropped").await?;
    }
    // And the key is free again.
    eventually("writing the key of a dropped writer", || async {
        Ok::<_, Finding>(case.put("dropped", &Bytes::from_static(b"again")).await.is_ok())
    })
    .await?;
    ensure_same(&case.get("dropped").await?, b"again", "the object")
}

async fn a_key_can_be_written_after_an_abort(case: Case) -> Verdict {
    let key = case.key("again");
    let writer = case.store.open_writer(&key, WriteOptions::default()).await?;
    writer.abort().await?;
    let bytes = seeded(7, 1000);
    case.put("again", &bytes).await?;
    ensure_same(&case.get("again").await?, &bytes, "the object")
}

async fn many_writers_at_once_do_not_mix(case: Case) -> Verdict {
    let write = |index: u64| {
        let case = case.clone();
        async move {
            let bytes = seeded(100 + index, 200_000);
            case.put_in_chunks(&format!("w{index}"), &bytes, 10_007).await?;
            let found = case.get(&format!("w{index}")).await?;
            ensure_same(&found, &bytes, "one of many objects")
        }
    };
    try_join_all((0..24).map(write)).await.map(drop)
}

async fn two_writers_of_one_key_leave_a_whole_object(case: Case) -> Verdict {
    let key = case.key("contested");
    let (one, two) = (seeded(8, 300_000), seeded(9, 300_000));
    let first = case.store.open_writer(&key, WriteOptions::default()).await;
    let second = case.store.open_writer(&key, WriteOptions::default()).await;
    let mut finished = 0;
    for (writer, bytes) in [(first, &one), (second, &two)] {
        let Ok(mut writer) = writer else { continue };
        if writer.write(bytes.clone()).await.is_err() {
            continue;
        }
        finished += usize::from(writer.finish().await.is_ok());
    }
    ensure!(finished > 0, "neither writer could finish");
    let found = case.get("contested").await?;
    ensure!(found == one || found == two, "the object is a mixture");
    Ok(())
}

async fn a_taken_key_is_refused(case: Case) -> Verdict {
    let bytes = seeded(10, 1000);
    case.put("taken", &bytes).await?;
    let again = case.put("taken", &seeded(11, 1000)).await;
    ensure_kind(again, PluginErrorKind::AlreadyExists, "writing a taken key")?;
    ensure_same(&case.get("taken").await?, &bytes, "the first object")
}

async fn a_taken_key_is_replaced_in_one_step(case: Case) -> Verdict {
    let (old, new) = (seeded(12, 50_000), seeded(13, 70_000));
    case.put("taken", &old).await?;
    let key = case.key("taken");
    let mut writer = case.store.open_writer(&key, WriteOptions::default()).await?;
    writer.write(new.clone()).await?;
    ensure_same(&case.get("taken").await?, &old, "the object while it is replaced")?;
    writer.abort().await?;
    ensure_same(&case.get("taken").await?, &old, "the object after an abort")?;
    case.put("taken", &new).await?;
    ensure_same(&case.get("taken").await?, &new, "the new object")
}
