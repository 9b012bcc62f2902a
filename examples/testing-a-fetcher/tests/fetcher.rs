//! The fetcher against faults, crashes and swaps. No test waits: tokio's time is paused, and the stores go by it.

use std::{cell::RefCell, time::Duration};

use larder::{
    ErrorKind,
    testing::{Calls, Fault, Faults, MemoryKv, Moment, Operation, Recorder, Reply, Script, Slow, TestHost},
};
use larder_testing_a_fetcher::{FRESH, Fetcher, TRIES_MAX, WAIT};

const PAGES: [&str; 3] = ["a", "b", "c"];

/// The web, and what was asked of it.
#[derive(Default)]
struct Web(RefCell<Vec<String>>);

impl Web {
    fn page(&self, path: &str) -> String {
        self.0.borrow_mut().push(path.to_owned());
        format!("page {path}")
    }

    fn asked(&self) -> Vec<String> {
        self.0.take()
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_a_moment_is_tried_again_after_a_wait() -> larder::Result<()> {
    let host = TestHost::memory();
    let minute = Duration::from_secs(60);
    let faults = Faults::seeded(1)
        .with(Fault::on(Calls::of(Operation::Commit).key("done/b")).nth(1))
        .with(Fault::on(Calls::of(Operation::Finish).key("c")).nth(1).retry_after(minute));
    for store in ["state", "storage"] {
        host.put_in_front(store, &faults)?;
    }
    let (web, begun) = (Web::default(), tokio::time::Instant::now());
    assert_eq!(Fetcher::new(&host, |path| web.page(path))?.run(&PAGES).await?, 3);
    faults.assert_all_struck();
    assert_eq!(web.asked(), ["a", "b", "b", "c", "c"]);
    assert_eq!(begun.elapsed(), WAIT + minute);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_is_given_up_after_some_tries() -> larder::Result<()> {
    let host = TestHost::memory();
    let recorder = Recorder::new();
    host.put_in_front("state", &Faults::seeded(1).with(Fault::on(Operation::Get)))?;
    host.put_in_front("state", &recorder)?;
    let web = Web::default();
    let error = Fetcher::new(&host, |path| web.page(path))?.run(&PAGES).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    recorder.assert_calls(vec!["get done/a -> error unavailable"; TRIES_MAX as usize]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_commit_was_answered_by_nobody_is_counted_once() -> larder::Result<()> {
    let commits = || Fault::on(Calls::of(Operation::Commit).key("done/b")).nth(1).kind(ErrorKind::Timeout);
    // Done, and the answer lost: found by looking. Lost on its way: done again.
    for (fault, asked) in [(commits().answer_lost(), 3), (commits().request_lost(), 4)] {
        let host = TestHost::memory();
        host.put_in_front("state", &Faults::seeded(1).with(fault))?;
        let web = Web::default();
        assert_eq!(Fetcher::new(&host, |path| web.page(path))?.run(&PAGES).await?, 3);
        assert_eq!(web.asked().len(), asked);
    }
    Ok(())
}

/// Whatever goes wrong, and however often: in the end each page is there, and counted once.
#[tokio::test(start_paused = true)]
async fn no_run_of_faults_breaks_the_promise() -> larder::Result<()> {
    for seed in 0..100 {
        let host = TestHost::memory();
        let faults = Faults::seeded(seed)
            .with(Fault::on(Calls::writes()).probability(0.3).in_doubt())
            .with(Fault::on(Calls::all()).probability(0.1));
        for store in ["state", "storage"] {
            host.put_in_front(store, &faults)?;
        }
        let web = Web::default();
        let fetcher = Fetcher::new(&host, |path| web.page(path))?;
        while fetcher.run(&PAGES).await.is_err() {}
        faults.heal();
        assert_eq!(fetcher.run(&PAGES).await?, 3, "seed {seed}");
        for page in PAGES {
            assert_eq!(
                host.blobs("storage")?.get(page).await?.unwrap(),
                format!("page {page}"),
                "seed {seed}"
            );
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_it_goes_on_where_it_was() -> larder::Result<()> {
    // Before the commit is done, and after it, when only its answer is missing.
    for (moment, rest) in [(Moment::BeforeItHappens, vec!["b", "c"]), (Moment::BeforeTheAnswer, vec!["c"])] {
        let host = TestHost::memory();
        let (web, slow) = (Web::default(), Slow::new(host.time()));
        let hold = slow.hold(Calls::of(Operation::Commit).key("done/b"), moment);
        host.put_in_front("state", &slow)?;
        {
            let fetcher = Fetcher::new(&host, |path| web.page(path))?;
            tokio::select! {
                done = fetcher.run(&PAGES) => panic!("it should be held, and is done: {done:?}"),
                () = hold.came(1) => {}
            }
        }
        assert_eq!(web.asked(), ["a", "b"]);

        let host = host.crash().await?;
        assert_eq!(Fetcher::new(&host, |path| web.page(path))?.run(&PAGES).await?, 3);
        assert_eq!(web.asked(), rest, "{moment:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_swapped_under_it_is_no_reason_to_stop() -> larder::Result<()> {
    let host = TestHost::memory();
    let slow = Slow::new(host.time());
    let hold = slow.hold(Calls::of(Operation::Get).key("done/b"), Moment::BeforeItHappens);
    host.put_in_front("state", &slow)?;
    let web = Web::default();
    let fetcher = Fetcher::new(&host, |path| web.page(path))?;
    let swap = async {
        hold.came(1).await;
        host.swap_kv("state", std::sync::Arc::new(MemoryKv::new()))?;
        hold.release_all();
        larder::Result::Ok(())
    };
    let (count, swapped) = tokio::join!(fetcher.run(&PAGES), swap);
    swapped?;
    // The page that was counted before the swap is counted in the store that was there.
    assert_eq!(count?, 2);
    assert_eq!(web.asked(), PAGES);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_is_fetched_again_when_it_is_no_longer_fresh() -> larder::Result<()> {
    let host = TestHost::memory();
    let web = Web::default();
    let fetcher = Fetcher::new(&host, |path| web.page(path))?;
    fetcher.run(&PAGES).await?;
    host.advance(FRESH - Duration::from_secs(1)).await;
    fetcher.run(&PAGES).await?;
    assert_eq!(web.asked(), PAGES);
    host.advance(Duration::from_secs(1)).await;
    assert_eq!(fetcher.run(&PAGES).await?, 6);
    assert_eq!(web.asked(), PAGES);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_was_faster_is_believed() -> larder::Result<()> {
    let host = TestHost::memory();
    let script = Script::new()
        .expect("get done/a", Reply::none())
        .expect(
            "commit if done/a absent, put done/a=true ttl 1 d, add count 1",
            Reply::error(ErrorKind::Conflict),
        )
        .expect("get count", Reply::value("1"));
    host.swap_kv("state", script.store())?;
    let web = Web::default();
    assert_eq!(Fetcher::new(&host, |path| web.page(path))?.run(&["a"]).await?, 1);
    script.assert_played();
    Ok(())
}

/// The retries of the host and the timeouts of its attempts go by the same time.
#[tokio::test(start_paused = true)]
async fn the_guards_of_production_stand_in_front_of_the_faults() -> larder::Result<()> {
    let host = TestHost::from_yaml(
        "
        persistence: { state_backend: 'redis://127.0.0.1:1/0' }
        storage: { backend: memory }
        ",
    )
    .await?;
    let faults = Faults::seeded(1).with(Fault::on(Operation::Commit).every(2));
    host.put_in_front("state", &faults)?;
    let web = Web::default();
    assert_eq!(Fetcher::new(&host, |path| web.page(path))?.run(&PAGES).await?, 3);
    faults.assert_all_struck();
    assert_eq!(web.asked(), PAGES);

    // A store that hangs: the host's timeout ends the attempt, and of a write nobody knows.
    let slow = Slow::new(host.time());
    let hold = slow.hold(Operation::Commit, Moment::BeforeItHappens);
    host.put_in_front("state", &slow)?;
    let error = host.kv("state")?.set("x", &1).await.unwrap_err();
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, true));
    hold.release_all();
    Ok(())
}
