//! The network between a store and its service is slow, breaks, or is gone.

use boxvault_plugin_sdk::{ByteRange, PluginErrorKind, WriteOptions};

use super::{Entry, Tunnel, cases, ensure_whole_or_absent, ensure_works};
use crate::{
    bytes::seeded,
    case::{Verdict, ensure},
    storage::{Case as Place, ensure_same},
};

/// What a case works with.
pub(super) struct Case {
    pub(super) place: Place,
    pub(super) tunnel: Tunnel,
}

pub(super) const CASES: &[Entry<Case>] = cases! {
    NONE:
        a_slow_network_changes_no_byte,
        a_connection_cut_in_a_read_gives_every_byte_or_an_error,
        a_connection_cut_in_a_write_gives_the_whole_object_or_an_error,
        a_service_that_is_away_is_told_as_such_and_comes_back;
};

async fn a_slow_network_changes_no_byte(case: Case) -> Verdict {
    let Case { place, tunnel } = &case;
    let bytes = seeded(93, 1_500_000);
    tunnel.slow();
    place.put_in_chunks("slow", &bytes, 100_000).await?;
    ensure_same(&place.get("slow").await?, &bytes, "the object")
}

async fn a_connection_cut_in_a_read_gives_every_byte_or_an_error(case: Case) -> Verdict {
    let Case { place, tunnel } = &case;
    let bytes = seeded(94, 8 << 20);
    place.put_in_chunks("cut", &bytes, 1 << 20).await?;
    for after in [0, 1000, 1 << 20, 5 << 20] {
        tunnel.cut_after(after + 1);
        let mut found = Vec::new();
        let opened = place.store.open_reader(&place.key("cut"), ByteRange::FULL).await;
        let Ok(mut reader) = opened else { continue };
        loop {
            match reader.next().await {
                Ok(Some(chunk)) => found.extend_from_slice(&chunk),
                Ok(None) => {
                    ensure_same(&found, &bytes, "an object that was cut once")?;
                    break;
                }
                Err(_) => break,
            }
        }
        tunnel.mend();
    }
    ensure_works(place).await
}

async fn a_connection_cut_in_a_write_gives_the_whole_object_or_an_error(case: Case) -> Verdict {
    let Case { place, tunnel } = &case;
    let bytes = seeded(95, 8 << 20);
    for (round, after) in [0, 1000, 1 << 20, 6 << 20].into_iter().enumerate() {
        let name = format!("cut-{round}");
        tunnel.cut_after(after + 1);
        let finished = place.put_in_chunks(&name, &bytes, 1 << 20).await;
        tunnel.mend();
        let is_there = ensure_whole_or_absent(place, &name, &bytes).await?;
        ensure!(finished.is_err() || is_there, "a write ended well, and there is nothing");
    }
    ensure_works(place).await
}

async fn a_service_that_is_away_is_told_as_such_and_comes_back(case: Case) -> Verdict {
    let Case { place, tunnel } = &case;
    place.put("there", &seeded(96, 1000)).await?;
    tunnel.close();
    for (what, error) in [
        ("health", place.store.health().await.err()),
        ("stat", place.store.stat(&place.key("there")).await.err()),
        ("writing", {
            let options = WriteOptions::default();
            match place.store.open_writer(&place.key("away"), options).await {
                Err(error) => Some(error),
                Ok(mut writer) => match writer.write(seeded(97, 100_000)).await {
                    Err(error) => Some(error),
                    Ok(()) => writer.finish().await.err(),
                },
            }
        }),
    ] {
        let kind = error.as_ref().map(|error| error.kind);
        let told =
            matches!(kind, Some(PluginErrorKind::Unavailable | PluginErrorKind::DeadlineExceeded));
        ensure!(told, "{what}: expected unavailable, got {kind:?}");
    }
    tunnel.mend();
    ensure_works(place).await?;
    ensure_same(&place.get("there").await?, &seeded(96, 1000), "what was there before")
}
