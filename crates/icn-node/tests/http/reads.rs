//! What the log knows: federation, members, blocks, accounts, jobs, peers.
use crate::harness::Node;
use icn_api::{
    federation::{Federation, GenesisView},
    log::LogBlock,
    mesh::{Blacklist, Executors, JobPage},
    network::{Network, Peers},
    paths,
};
use icn_model::{Action, Cid, Did, Height, SecretKey};

#[test]
fn the_federation_its_genesis_and_its_blocks_belong_together() {
    let node = Node::start();
    let operation = node.own(Action::AddMember {
        member: Did::new(SecretKey::from_seed(&[3; 32]).public()),
    });
    node.done(&operation);
    let genesis: GenesisView = node.get(paths::GENESIS).json(200);
    assert_eq!(genesis.genesis.id(), genesis.id);
    let federation: Federation = node.get(paths::FEDERATION).json(200);
    assert_eq!(federation.id, genesis.id);
    assert_eq!(
        federation.seats.iter().map(|seat| seat.did).collect::<Vec<_>>(),
        [node.did]
    );
    let peer_id = node.client.identity().unwrap().peer_id;
    assert!(!federation.addresses.is_empty());
    assert!(
        federation
            .addresses
            .iter()
            .all(|address| address.ends_with(&format!("/p2p/{peer_id}")))
    );

    let checkpoint = federation.checkpoint;
    let block: LogBlock = node
        .get(&paths::with(paths::LOG_BLOCK, checkpoint.height))
        .json(200);
    assert_eq!(block.cid, checkpoint.block);
    let mut parent = None;
    let mut found = false;
    for height in 0..=checkpoint.height.get() {
        let block = node.client.log_block(Height::new(height)).unwrap();
        let bytes = block.block.to_bytes();
        assert_eq!(
            (block.cid, block.size_bytes),
            (Cid::of_dag_cbor(&bytes), bytes.len() as u64)
        );
        assert!(parent.is_none_or(|parent| block.block.header.parent == parent));
        parent = Some(*block.cid.digest());
        found |= block.block.operations.contains(&operation);
    }
    assert!(found, "the operation is in none of the blocks");
}

#[test]
fn a_federation_without_jobs_says_so() {
    let node = Node::start();
    let jobs: JobPage = node.get(paths::JOBS).json(200);
    assert!(jobs.items.is_empty() && jobs.next.is_none());
    assert!(
        node.get("/v1/mesh/jobs?state=rolled-back")
            .json::<JobPage>(200)
            .items
            .is_empty()
    );
    let executors: Executors = node.get(paths::EXECUTORS).json(200);
    let [executor] = &executors.items[..] else {
        panic!("{executors:?}")
    };
    assert!(executor.did == node.did && executor.online && executor.blacklisted_until.is_none());
    let blacklist: Blacklist = node.get(paths::BLACKLIST).json(200);
    assert!(blacklist.items.is_empty() && blacklist.after_failures > 0);
    let network: Network = node.get(paths::NETWORK).json(200);
    assert!(!network.listen.is_empty() && network.status.peers == 0);
    let peers: Peers = node.get(paths::PEERS).json(200);
    assert!(peers.items.is_empty());
}
