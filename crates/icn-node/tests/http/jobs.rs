//! Jobs: a federation of one runs its own, so their whole way shows at one node.
use crate::harness::{Node, WAIT};
use icn_api::{
    events::EventPage,
    mesh::{JobPage, JobView, JobWhy, JobsQuery},
    paths,
};
use icn_model::{
    Action, Codec, ExitStatus, JobId, JobLimits, JobSpec, JobStatus, Mana, Millis, Requirements, Signed,
    canonical,
};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

/// Does nothing, successfully.
const NOOP: &[u8] = include_bytes!("../../../../jobs/noop/module.wasm");
const MAX_BLOCK: usize = icn_model::limits::MAX_DAG_BLOCK_BYTES;

/// Submits a job that runs `module`; its id.
fn submit(node: &Node, module: icn_model::Cid) -> JobId {
    let time = node.client.next_operation(node.key.public()).unwrap().time;
    let spec = JobSpec {
        module,
        args: Vec::new(),
        env: BTreeMap::new(),
        stdin: None,
        inputs: BTreeMap::new(),
        limits: JobLimits {
            fuel: 1_000_000_000,
            memory_bytes: 64 << 20,
            output_bytes: 1 << 20,
            wall_ms: 10_000,
        },
        require: Requirements::default(),
        replicas: 1,
        max_mana: Mana::from_whole(1),
        deadline: time.after(Millis::from_secs(600)),
        coordinator: None,
        private: false,
    };
    JobId::from(node.act(Action::SubmitJob { spec: Box::new(spec) }))
}

/// The job, once nobody works on it any more.
fn settled(node: &Node, id: JobId) -> JobView {
    let started = Instant::now();
    loop {
        let view = node.client.job(&id).unwrap();
        if !view.state.is_open() {
            return view;
        }
        assert!(started.elapsed() < WAIT, "the job is still {}", view.state);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_job_runs_and_every_view_agrees_about_it() {
    assert!(NOOP.len() <= MAX_BLOCK);
    let node = Node::start();
    let module = node.client.put_block(Codec::Raw, NOOP).unwrap();
    let ids: Vec<_> = (0..3).map(|_| submit(&node, module)).collect();
    for id in &ids {
        let view = settled(&node, *id);
        assert!(
            matches!(view.state, JobStatus::Settled | JobStatus::Completed),
            "{view:?}"
        );
        let (executor, receipt) = view.receipts().next().unwrap();
        assert_eq!(executor, node.did);
        let bytes = node.client.get_block(&receipt, true).unwrap();
        let receipt: Signed<icn_model::Receipt> = canonical::from_bytes(&bytes, MAX_BLOCK).unwrap();
        receipt.verify().unwrap();
        assert_eq!(
            (receipt.content.job, receipt.content.outcome.exit),
            (*id, ExitStatus::Code(0))
        );
        let why: JobWhy = node.get(&paths::with(paths::JOB_WHY, id)).json(200);
        assert!(
            why.ranking
                .is_some_and(|ranking| ranking.bids.iter().any(|bid| bid.chosen))
        );
    }
    // The youngest first, two to a page.
    let page = |after| {
        node.client
            .jobs(&JobsQuery {
                limit: Some(2),
                after,
                ..JobsQuery::default()
            })
            .unwrap()
    };
    let first: JobPage = page(None);
    let second = page(first.next);
    let listed: Vec<_> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|job| job.id)
        .collect();
    assert_eq!(listed, ids.iter().rev().copied().collect::<Vec<_>>());
    assert!(first.items.len() == 2 && second.next.is_none());
    let of = |query: JobsQuery| node.client.jobs(&query).unwrap().items.len();
    assert_eq!(
        of(JobsQuery {
            executor: Some(node.did),
            ..JobsQuery::default()
        }),
        3
    );
    assert_eq!(
        of(JobsQuery {
            state: Some(JobStatus::Cancelled),
            ..JobsQuery::default()
        }),
        0
    );

    let events: EventPage = node.get("/events?type=job&limit=1000").json(200);
    assert!(
        events.items.len() >= 9,
        "submitted, awarded, receipt, settled: {events:?}"
    );
    let metrics = node.client.metrics().unwrap();
    assert!(
        metrics.contains("icn_jobs_executed_total{result=\"succeeded\"} 3"),
        "{metrics}"
    );
}

#[test]
fn what_is_no_job_is_not_found() {
    let node = Node::start();
    let id = JobId::new(icn_model::Digest::of(b"no job"));
    node.get(&paths::with(paths::JOB, id)).problem(404, 903);
    node.get(&paths::with(paths::JOB_WHY, id)).problem(404, 903);
    node.get(&format!("{}?after={id}", paths::JOBS)).problem(400, 904);
    node.get(&format!("{}?state=done", paths::JOBS)).problem(400, 904);
}
