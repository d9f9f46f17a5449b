//! How far a long command is, for whoever watches.

use std::{
    future::Future,
    io::{self, IsTerminal, Write as _},
    pin::pin,
    time::Duration,
};

use boxvault_catalog::store_moves::Progress;
use boxvault_types::byte_count::ByteCount;
use tokio::{
    signal,
    time::{Instant, MissedTickBehavior, interval},
};

/// How often it is shown: on a terminal, and in a log.
const TELL_ON_TERMINAL: Duration = Duration::from_secs(1);
const TELL_IN_LOG: Duration = Duration::from_secs(10);

/// Does the work and shows how far it is, until it is over; or until somebody stops it: then there is no outcome.
pub(super) async fn watch<T>(
    progress: impl Fn() -> Progress,
    work: impl Future<Output = T>,
) -> Option<T> {
    let begun = Instant::now();
    let on_terminal = io::stderr().is_terminal();
    let mut ticks = interval(if on_terminal { TELL_ON_TERMINAL } else { TELL_IN_LOG });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let (mut stop, mut work) = (pin!(stopped()), pin!(work));
    let ended = loop {
        tokio::select! {
            ended = &mut work => break Some(ended),
            () = &mut stop => break None,
            _ = ticks.tick() => tell(&line(progress(), begun.elapsed()), on_terminal),
        }
    };
    tell(&line(progress(), begun.elapsed()), on_terminal);
    if on_terminal {
        tell("\n", false);
    }
    ended
}

/// Ends when somebody presses Ctrl-C, or the service manager says so.
async fn stopped() {
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// Progress is for whoever watches: where it cannot be written, the work goes on.
fn tell(line: &str, in_place: bool) {
    let mut output = io::stderr().lock();
    let written = if in_place {
        write!(output, "\r\x1b[2K{line}").and_then(|()| output.flush())
    } else {
        writeln!(output, "{line}")
    };
    drop(written);
}

fn line(progress: Progress, elapsed: Duration) -> String {
    let Progress { total, moved, copied_bytes, .. } = progress;
    let speed = speed(copied_bytes, elapsed);
    let left = match (u64::try_from(total.bytes - moved.bytes).unwrap_or_default(), speed) {
        (0, _) => duration_text(0),
        (_, 0) => "unknown".to_owned(),
        (bytes, speed) => duration_text(bytes / speed),
    };
    format!(
        "{} of {} files, {} of {}, {}/s, {left} left",
        moved.files,
        total.files,
        bytes_of(moved.bytes),
        bytes_of(total.bytes),
        ByteCount(round(speed)),
    )
}

/// Bytes a second.
pub(super) fn speed(bytes: i64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    u64::try_from(bytes).unwrap_or_default().saturating_mul(1000) / millis
}

/// Whole MiB where there are some, so that a line is short.
fn round(bytes: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    if bytes > MIB { bytes / MIB * MIB } else { bytes }
}

/// As people read it.
pub(super) fn bytes_of(bytes: i64) -> ByteCount {
    ByteCount(u64::try_from(bytes).unwrap_or_default())
}

fn duration_text(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use boxvault_catalog::moves::Amount;

    use super::*;

    #[test]
    fn progress_tells_files_bytes_speed_and_the_time_left() {
        let progress = Progress {
            total: Amount { files: 200, bytes: 40 << 20 },
            moved: Amount { files: 50, bytes: 10 << 20 },
            copied_bytes: 12 << 20,
            ..Progress::default()
        };
        let text = line(progress, Duration::from_secs(4));
        assert_eq!(text, "50 of 200 files, 10 MiB of 40 MiB, 3 MiB/s, 10 s left");
        let text = line(Progress { copied_bytes: 0, ..progress }, Duration::ZERO);
        assert!(text.ends_with("unknown left"), "{text}");
        let text = line(Progress { moved: progress.total, ..progress }, Duration::ZERO);
        assert!(text.ends_with(" 0 s left"), "{text}");
        assert_eq!(duration_text(3 * 3600 + 125), "3 h 2 min");
        assert_eq!(duration_text(90), "1 min");
    }
}
