//! With the clock of the test runtime, which jumps when nothing else is to be done.

use futures_util::{StreamExt as _, stream};

use super::*;

fn ticks(pauses_ms: Vec<u64>) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Unpin {
    Box::pin(stream::iter(pauses_ms).then(|pause| async move {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok(Bytes::from_static(b"x"))
    }))
}

#[tokio::test(start_paused = true)]
async fn a_slow_but_steady_source_is_never_cut() {
    let bounded = IdleBound::new(ticks(vec![900; 20]), Duration::from_secs(1));
    assert_eq!(bounded.filter(|it| std::future::ready(it.is_ok())).count().await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_silent_source_fails_once_and_ends() {
    let mut bounded = IdleBound::new(ticks(vec![100, 5000, 100]), Duration::from_secs(1));
    assert!(bounded.next().await.unwrap().is_ok());
    let failed = bounded.next().await.unwrap().unwrap_err();
    assert_eq!(failed.to_string(), "no bytes for 1 seconds");
    assert!(bounded.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_blamed_on_the_source() {
    let mut bounded = IdleBound::new(ticks(vec![10, 900, 10]), Duration::from_secs(1));
    for _ in 0..3 {
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(bounded.next().await.unwrap().is_ok());
    }
    assert!(bounded.next().await.is_none());
}

#[tokio::test]
async fn an_error_of_the_source_is_passed_on_and_ends_it() {
    let source = stream::iter([Err(std::io::Error::other("disk on fire")), Ok(Bytes::new())]);
    let mut bounded = IdleBound::new(source, Duration::from_secs(1));
    let failed = bounded.next().await.unwrap().unwrap_err();
    assert!(Error::source(&failed).unwrap().to_string().contains("disk on fire"));
    assert!(bounded.next().await.is_none());
}
