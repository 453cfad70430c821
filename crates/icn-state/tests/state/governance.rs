//! Proposals: their way, who may vote, how votes are counted, and what decisions do. Votes here are open for 20
//! seconds and decisions wait for 10; a proposal costs 1 mana.
use crate::{
    script::{Script, run, run_with},
    voting::source,
    world::{START, World, did, parameters},
};
use icn_model::{
    Action, AdmissionQuestion, Choice, Cid, Counts, Decision, Effect, Event, GovernanceEvent, Mana, Millis,
    ParameterName, Parameters, PolicyQuestion, PriceQuestion, ProposalKind, ProposalPhase, Refusal, SeatKind,
    Share, Tally, Threshold, VoteQuestion, limits,
};
use icn_state::roll_bytes;

fn tally(script: &Script, name: &str) -> Tally {
    let proposal = script.world.state.proposal(&script.named(name)).unwrap();
    proposal.tally.clone().expect("the vote is counted")
}

fn decision(script: &Script, name: &str) -> Decision {
    tally(script, name).decision
}

#[test]
fn a_parameter_is_changed_by_vote() {
    let script = run(
        &["A", "B", "C", "D"],
        "
        t=1   propose P by=A effect=parameter:max_holds:9 -> ok | P open, A available 99, supply burned 1
        t=2   vote P by=B choice=yes                      -> ok
        t=3   vote P by=C choice=no                       -> ok
        t=4   vote P by=C choice=yes                      -> ok
        t=4.1 vote P by=C choice=yes                      -> already-said
        t=21  tick
        t=22  vote P by=D choice=no                       -> ok | P open
        t=22.1 tick                                             | P accepted, parameter max_holds 3
        t=23  vote P by=A choice=yes                      -> wrong-phase
        t=32.2 tick                                             | P accepted
        t=32.3 tick                                             | P executed, parameter max_holds 9
        ",
    );
    assert_eq!(
        tally(&script, "P").cooperatives.unwrap().counts,
        Counts::YesNo { yes: 2, no: 1 }
    );
    let told = script.world.events.iter().filter_map(|event| match event {
        Event::Governance(event) => Some(event),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let (name, proposal, kind) = (
        ParameterName::MaxHolds,
        script.named("P"),
        ProposalKind::Parameter,
    );
    use GovernanceEvent::{Accepted, Executed, Opened, ParameterChanged, Proposed, Voted};
    assert!(
        matches!(
            told[..],
            [
                Proposed { by, .. },
                Opened {
                    cooperatives: 4,
                    members: 0,
                    ..
                },
                Voted { .. },
                Voted { .. },
                Voted { .. },
                Voted { voter, .. },
                Accepted { .. },
                ParameterChanged { .. },
                Executed { .. },
            ] if *by == did("A") && *voter == did("D")
        ),
        "{told:#?}"
    );
    let (before, now) = (3, 9);
    assert_eq!(told[7], &ParameterChanged { name, before, now });
    assert_eq!(told[8], &Executed { proposal, kind });
}

/// Deadlines compare with the parent's time: a vote in the block after the deadline counts, if that block's
/// parent came before it.
#[test]
fn who_votes_too_late_is_told_so() {
    run(
        &["A", "B"],
        "
        t=1   propose P by=A              -> ok
        t=20  vote P by=A choice=yes      -> ok
        t=21.1 tick                             | P open
        t=21.2 vote P by=B choice=yes     -> wrong-phase
        ",
    );
}

#[test]
fn exactly_half_is_not_more_than_half() {
    let script = run(
        &["A", "B", "C", "D"],
        "
        t=1   propose P by=A effect=parameter:max_holds:9 -> ok
        t=2   vote P by=A choice=yes  -> ok
        t=2.1 vote P by=B choice=yes  -> ok
        t=2.2 vote P by=C choice=no   -> ok
        t=2.3 vote P by=D choice=no   -> ok
        t=22  tick
        t=23  tick                          | P rejected, parameter max_holds 3
        ",
    );
    assert_eq!(
        decision(&script, "P"),
        Decision::BelowThreshold {
            votes: 2,
            of: 4,
            threshold: Threshold::MoreThan(Share::HALF)
        }
    );
}

#[test]
fn abstentions_count_for_turnout_only() {
    let mut script = run(
        &["A", "B", "C", "D"],
        "
        t=1   propose P by=A effect=budget:B:5 -> ok
        t=2   vote P by=A choice=yes           -> ok
        t=21.1 tick
        t=22  tick                                   | P rejected
        t=23  propose Q by=A effect=budget:B:5 -> ok
        t=24  vote Q by=A choice=yes           -> ok
        t=25  vote Q by=B choice=abstain       -> ok
        t=44  tick
        t=45  tick                                   | Q accepted
        t=55.1 tick
        t=56  tick                                   | Q executed, B available 105, supply granted 405
        ",
    );
    assert_eq!(
        decision(&script, "P"),
        Decision::NoQuorum {
            turnout: 1,
            on_roll: 4,
            quorum: Share::HALF
        }
    );
    let tally = tally(&script, "Q").cooperatives.unwrap();
    assert_eq!((tally.turnout, tally.abstained), (2, 1));
    script.run("t+1 propose R by=A effect=budget:X:5 -> cannot-do");
}

#[test]
fn an_accepted_proposal_is_vetoed_in_its_timelock() {
    run(
        &["A", "B", "C"],
        "
        t=1   propose P by=A effect=parameter:max_holds:9 -> ok
        t=2   vote P by=A choice=yes  -> ok
        t=3   vote P by=B choice=yes  -> ok
        t=4   propose V by=C effect=veto:P -> wrong-phase
        t=22  tick
        t=23  propose V by=C effect=veto:P -> ok | P accepted, V open
        t=23.1 propose W by=C effect=veto:P -> already-said
        t=24  vote V by=C choice=yes  -> ok
        # The execution waits for the veto.
        t=40  tick                          | P accepted
        t=42  vote V by=B choice=yes  -> ok | V executed, P vetoed, parameter max_holds 3
        t=80  tick                          | P vetoed
        ",
    );
}

#[test]
fn what_cannot_be_carried_out_fails_and_is_tried_again() {
    let script = run(
        &["A", "B", "C"],
        "
        t=1   propose P by=A effect=budget:B:5 -> ok
        t=2   vote P by=A choice=yes           -> ok
        t=3   vote P by=C choice=yes           -> ok
        t=4   leave by=B                       -> ok
        t=21.1 tick
        t=22  tick                                   | P accepted
        t=32.1 tick
        t=33  tick                                   | P failed, B available 100
        t=34  retry P by=C                     -> cannot-do | P failed
        t=35  epoch                                  | B phase left
        t+1   join by=B invited=A              -> ok
        t+1   approve B by=A                   -> ok
        t+1   approve B by=C                   -> ok
        t+1   ready by=B                       -> ok
        t+1   epoch                                  | B phase seated
        t+1   retry P by=C                     -> ok | P executed, B available 105
        t+1   retry P by=C                     -> wrong-phase
        ",
    );
    let failed = script.world.state.proposal(&script.named("P")).unwrap();
    assert!(matches!(failed.phase, ProposalPhase::Executed { .. }));
}

#[test]
fn who_may_vote() {
    run(
        &["A", "B"],
        "
        t=1   add m by=A                                  -> ok
        t=2   propose P by=A electorate=both              -> ok
        t=3   add n by=A                                  -> ok
        t=4   vote P by=m choice=yes                      -> ok
        t=5   vote P by=n choice=yes                      -> not-on-roll
        t=6   vote P by=x choice=yes                      -> unknown-author
        t=7   vote P by=B key=A choice=yes                -> not-authorised
        t=7.1 vote P by=m key=n choice=yes                -> not-authorised
        t=8   vote Q by=B choice=yes                      -> unknown-proposal
        t=9   vote P by=B choice=object                   -> bad-choice
        t=10  vote P by=B choice=0                        -> bad-choice
        t=11  strike m by=A                               -> ok
        t=12  vote P by=m choice=no                       -> unknown-author
        t=13  add m by=A                                  -> ok
        t=14  vote P by=m choice=no                       -> not-on-roll
        t=15  propose Q by=A                              -> ok
        t=16  vote Q by=m choice=yes                      -> not-on-roll
        ",
    );
}

#[test]
fn each_kind_has_its_process_from_the_beginning() {
    let world = World::new(&["A"], parameters());
    for kind in ProposalKind::ALL {
        use ProposalKind::{Admit, AdmitWitness, Remove, Suspend, Text, Upgrade, Veto};
        let process = world.state.process(*kind);
        let asked = (
            process.quorum,
            process.threshold,
            process.timelock_ms,
            process.votes_final,
        );
        let (majority, at_once) = (Threshold::MoreThan(Share::HALF), Millis::ZERO);
        let later = parameters().timelock_ms;
        let expected = match kind {
            Text => (Share::THIRD, majority, at_once, false),
            Veto => (Share::THIRD, majority, at_once, true),
            Admit | AdmitWitness => (Share::TWO_THIRDS, majority, at_once, true),
            Suspend | Remove | Upgrade => {
                let most = Threshold::AtLeast(Share::TWO_THIRDS);
                (Share::TWO_THIRDS, most, later, false)
            }
            _ => (Share::HALF, majority, later, false),
        };
        assert_eq!(asked, expected, "{kind}");
    }
}

#[test]
fn the_list_of_a_roll_is_told_as_it_was() {
    let mut script = run(
        &["A", "B"],
        "
        t=1   add m by=A                                  -> ok
        t=2   add n by=B                                  -> ok
        t=5   propose P by=A electorate=both              -> ok
        t=6   add p by=A                                  -> ok
        t=7   strike m by=A                               -> ok
        t=8   add m by=B                                  -> ok
        t=9   strike p by=A                               -> ok
        ",
    );
    let listed = |script: &Script| {
        let proposal = script.world.state.proposal(&script.named("P")).unwrap();
        let roll = proposal.roll.as_ref().unwrap();
        let members = script.world.state.roll_members(roll);
        assert_eq!(Cid::of_raw(&roll_bytes(&members)), roll.list);
        members
    };
    let mut then = vec![(did("m"), did("A")), (did("n"), did("B"))];
    then.sort_unstable();
    assert_eq!(listed(&script), then);
    script.run("t+20 tick\nt+1 tick | P rejected");
    assert_eq!(listed(&script), then);
}

#[test]
fn no_more_mana_is_allocated_than_there_can_ever_be() {
    // Amounts end at i64::MAX thousandths, of which two cooperatives have had a hundred each.
    run(
        &["A", "B"],
        "
        t=1   propose P by=A effect=budget:B:9223372036854575.808 -> cannot-do
        t=2   propose P by=A effect=budget:B:9223372036854575.807 -> ok
        ",
    );
}

#[test]
fn what_cannot_be_proposed_costs_nothing() {
    run(
        &["A", "B"],
        "
        t=1   propose P by=A closes=0                                    -> bad-closing
        t=1.1 propose P by=A closes=20                                   -> bad-closing
        t=1.2 propose P by=A closes=100d                                 -> bad-closing
        t=2   propose P by=A effect=parameter:max_holds:3                -> nothing-changes
        t=2.1 propose P by=A effect=parameter:max_holds:0                -> bad-parameter
        t=3   propose P by=A effect=process:budget:quorum~0/1            -> bad-process
        t=3.1 propose P by=A effect=process:budget:threshold~>1/1        -> bad-process
        t=3.2 propose P by=A effect=process:budget:threshold~1/3         -> bad-process
        t=3.3 propose P by=A effect=process:remove:quorum~1/3            -> built-in-process
        t=3.4 propose P by=A effect=process:budget:method~ranked         -> bad-process
        t=3.5 propose P by=A effect=process:budget:final~no              -> nothing-changes
        t=4   propose P by=A effect=admit:X                              -> unknown-applicant
        t=4.1 propose P by=A effect=admit:B                              -> already-known
        t=5   propose P by=A effect=suspend:B:400d                       -> cannot-do
        t=5.1 propose P by=A effect=remove:X                             -> cannot-do
        t=6   propose P by=A effect=install:mana-rate:contract_c         -> unknown-contract
        t=6.1 propose P by=A effect=replace:mana-rate:contract_c         -> slot-free
        t=6.2 propose P by=A effect=clear:mana-rate                      -> slot-free
        t=7   propose P by=A effect=budget:B:0                           -> zero-amount
        t=7.1 propose P by=A effect=clearing:9:4:5                       -> cannot-do
        t=7.11 propose P by=A effect=clearing:30:20:11                    -> cannot-do
        t=7.12 propose P by=A effect=clearing:never:0.9:5                 -> cannot-do
        t=7.13 propose P by=A effect=clearing:367d:1:1                    -> cannot-do
        t=7.2 propose P by=A effect=clearing:never                       -> nothing-changes
        t=7.3 propose P by=A effect=upgrade:1:5                          -> cannot-do
        t=7.4 propose P by=A effect=upgrade:2:0                          -> cannot-do
        t=7.5 propose P by=A effect=veto:P                               -> unknown-proposal
        t=8   propose P by=A method=ranked options=x                     -> bad-proposal
        t=8.1 propose P by=A method=ranked options=x,x                   -> bad-proposal
        t=8.2 propose P by=A method=score options=x,y max=0              -> bad-proposal
        t=8.3 propose P by=A effect=budget:B:1 method=approval options=x,y -> bad-proposal
        t=8.4 propose P by=A effect=budget:B:1 method=consent            -> wrong-terms
        t=8.5 propose P by=A effect=budget:B:1 electorate=members        -> wrong-terms | A available 100
        t=9   share by=A to=A amount=1                                   -> not-sharable
        t=9.1 submit J by=A max=99.5                                     -> ok | A available 0.5
        t=9.2 propose P by=A                                             -> insufficient-mana
        ",
    );
}

#[test]
fn proposals_under_way_are_bounded() {
    let mut script = run(&["A", "B"], "t=1 propose P by=A -> ok");
    for _ in 0..15 {
        script.run("t+0.1 propose P by=A -> ok");
    }
    script.run(
        "
        t+0.1 propose Q by=A  -> too-many-proposals
        t+0.1 propose Q by=B  -> ok
        t+0.1 withdraw P by=B -> not-proposer
        t+0.1 withdraw P by=A -> ok | P cancelled
        t+0.1 withdraw P by=A -> wrong-phase
        t+0.1 propose P by=A  -> ok
        ",
    );
}

#[test]
fn a_draft_needs_sponsors() {
    let mut script = run(
        &["A", "B", "C"],
        "
        t=1   add m by=B                                            -> ok
        t=2   propose P by=A effect=process:text:sponsors~2         -> ok
        t=3   vote P by=A choice=yes                                -> ok
        t=3.1 vote P by=B choice=yes                                -> ok
        t+1   enact                                                       | P executed
        t+1   propose Q by=A                                        -> ok | Q draft
        t+1   vote Q by=A choice=yes                                -> wrong-phase
        t+1   sponsor Q by=A                                        -> cannot-sponsor
        t+1   sponsor Q by=m                                        -> cannot-sponsor
        t+1   sponsor Q by=B                                        -> ok | Q draft
        t+1   sponsor Q by=B                                        -> cannot-sponsor
        t+1   sponsor Q by=C                                        -> ok | Q open
        t+1   sponsor Q by=C                                        -> wrong-phase
        t+1   propose R by=A                                        -> ok | R draft
                ",
    );
    // A pause of the log gives drafts their time back, too: days pass block by block.
    for _ in 0..(31 * 144) {
        let time = script.world.state.time().after(Millis::from_secs(600));
        script.world.loads = false;
        script.world.apply(time, Vec::new());
    }
    script.check("31 days", "R expired");
}

#[test]
fn a_harder_process_is_needed_to_change_a_process() {
    let mut script = run(
        &["A", "B", "C"],
        "
        t=1   propose P by=A effect=process:budget:threshold~1/1 -> ok
        t=2   vote P by=A choice=yes  -> ok
        t=3   vote P by=B choice=yes  -> ok
        t=3.1 vote P by=C choice=no   -> ok
        t=22  tick
        t=23  tick                          | P rejected
        t=24  propose Q by=A effect=process:budget:threshold~1/1 -> ok
        t=25  vote Q by=A choice=yes  -> ok
        t=25.1 vote Q by=B choice=yes -> ok
        t=45  tick
        t=45.1 tick
        t=56  tick
        t=57  tick                          | Q executed
        t=58  propose R by=A effect=process:budget:threshold~>1/2 -> ok
        t=59  vote R by=A choice=yes  -> ok
        t=59.1 vote R by=B choice=yes -> ok
        t=59.2 vote R by=C choice=no  -> ok
        t=79  tick
        t=80  tick                          | R rejected
        ",
    );
    assert!(matches!(
        decision(&script, "R"),
        Decision::BelowThreshold { votes: 2, of: 3, .. }
    ));
    script.run("t+1 propose S by=A effect=parameter:max_holds:5 -> ok");
}

#[test]
fn final_votes_end_a_vote_as_soon_as_it_is_decided() {
    run(
        &["A", "B", "C", "D", "E"],
        "
        t=1   propose P by=A effect=budget:B:5 final=yes -> ok
        t=2   vote P by=A choice=yes  -> ok
        t=2.1 vote P by=A choice=no   -> vote-is-final
        t=3   vote P by=B choice=yes  -> ok | P open
        t=4   vote P by=C choice=yes  -> ok | P accepted
        t=5   propose Q by=A effect=budget:B:5 final=yes -> ok
        t=6   vote Q by=A choice=no   -> ok
        t=7   vote Q by=B choice=no   -> ok | Q open
        t=8   vote Q by=C choice=no   -> ok | Q rejected
        t=9   propose R by=A method=consent final=yes    -> ok
        t=10  vote R by=A choice=yes     -> ok
        t=11  vote R by=B choice=abstain -> ok | R open
        t=12  vote R by=C choice=object  -> ok | R rejected
        ",
    );
}

#[test]
fn what_members_decide_needs_the_majority_of_the_cooperatives() {
    let script = run(
        &["A", "B", "C"],
        "
        t=1   add m1 by=A  -> ok
        t=1.1 add m2 by=A  -> ok
        t=1.2 add m3 by=A  -> ok
        t=2   propose P by=A effect=process:budget:electorate~members -> ok
        t=3   vote P by=A choice=yes   -> ok
        t=3.1 vote P by=B choice=yes   -> ok
        t+1   enact                          | P executed
        t+1   propose Q by=m1 effect=budget:A:50 electorate=members -> insufficient-mana
        t+1   share by=A to=m1 amount=2 -> ok
        t+1   propose Q by=m1 effect=budget:A:50 electorate=members -> ok
        t+1   vote Q by=m1 choice=yes  -> ok
        t+1   vote Q by=m2 choice=yes  -> ok
        t+1   vote Q by=m3 choice=yes  -> ok
        t+1   vote Q by=A choice=yes   -> ok
        t+1   close                          | Q rejected
        t+1   propose R by=m1 effect=budget:A:50 electorate=members -> ok
        t+1   vote R by=m1 choice=yes  -> ok
        t+1   vote R by=m2 choice=yes  -> ok
        t+1   vote R by=A choice=yes   -> ok
        t+1   vote R by=B choice=yes   -> ok
        t+1   close                          | R accepted
        ",
    );
    let tally = tally(&script, "Q");
    assert_eq!(tally.members.unwrap().turnout, 3);
    assert_eq!(
        tally.decision,
        Decision::BelowThreshold {
            votes: 1,
            of: 3,
            threshold: Threshold::MoreThan(Share::HALF)
        }
    );
}

#[test]
fn consent_is_blocked_by_one_objection() {
    let script = run(
        &["A", "B", "C"],
        "
        t=1   propose P by=A method=consent -> ok
        t=2   vote P by=A choice=yes        -> ok
        t=2.1 vote P by=B choice=abstain    -> ok
        t=2.2 vote P by=C choice=no         -> bad-choice
        t=2.3 vote P by=C choice=object     -> ok
        t=3   propose Q by=A method=consent -> ok
        t=4   vote Q by=A choice=yes        -> ok
        t=4.1 vote Q by=B choice=abstain    -> ok
        t=23.1 tick
        t=24  tick                                | P rejected, Q executed
        ",
    );
    assert_eq!(decision(&script, "P"), Decision::Objected { objections: 1 });
    assert_eq!(decision(&script, "Q"), Decision::Passed {});
}

#[test]
fn options_are_chosen_by_approval_and_by_score() {
    let script = run(
        &["A", "B", "C"],
        "
        t=1   propose P by=A method=approval options=x,y,z -> ok
        t=2   vote P by=A choice=0,1    -> ok
        t=2.1 vote P by=B choice=1      -> ok
        t=2.2 vote P by=C choice=1,2    -> ok
        t=2.3 vote P by=C choice=2,1    -> bad-choice
        t=2.4 vote P by=C choice=3      -> bad-choice
        t=3   propose Q by=A method=score options=x,y,z max=10 -> ok
        t=4   vote Q by=A choice=10,8,0 -> ok
        t=4.1 vote Q by=B choice=0,8,9  -> ok
        t=4.2 vote Q by=C choice=0,8,11 -> bad-choice
        t=4.3 vote Q by=C choice=0,8    -> bad-choice
        t=5   propose R by=A method=approval options=x,y -> ok
        t=6   vote R by=A choice=0      -> ok
        t=6.1 vote R by=B choice=1      -> ok
        t=26.1 tick
        t=27  tick                            | P executed, Q executed, R rejected
        ",
    );
    assert_eq!(decision(&script, "P"), Decision::Chosen { option: 1 });
    assert_eq!(decision(&script, "Q"), Decision::Chosen { option: 1 });
    assert_eq!(decision(&script, "R"), Decision::Tied { options: vec![0, 1] });
}

#[test]
fn delegations_by_topic_chain_and_give_way_to_a_vote() {
    let mut script = run(
        &["A", "B", "C", "D", "E"],
        "
        t=1   delegate A by=A              -> self-delegation
        t=1.1 delegate x by=A              -> not-delegable
        t=2   delegate B by=A              -> ok
        t=2.1 delegate B by=A              -> already-said
        t=3   delegate C by=B              -> ok
        t=3.1 delegate A by=C              -> delegation-cycle
        t=3.2 delegate B by=C              -> delegation-cycle
        t=4   delegate E by=D topic=money  -> ok
        t=4.1 delegate E by=A topic=money until=4 -> delegation-ended
        t=4.2 delegate E by=A topic=money until=30 -> ok
        t=5   propose P by=A               -> ok
        t=6   vote P by=C choice=yes       -> ok
        t=7   vote P by=E choice=no        -> ok
        # A chain of three: A and B count through C; D delegates on another topic only.
        t=25.1 tick
        t=26  tick                               | P executed
        t=27  propose Q by=A topic=money   -> ok
        t=28  vote Q by=C choice=yes       -> ok
        t=29  vote Q by=E choice=no        -> ok
        # The delegation of A on money ends at 30: then that for everything holds.
        t=47.1 tick
        t=48  tick                               | Q executed
        t=49  undelegate by=B              -> ok
        t=49.1 undelegate by=B             -> unknown-delegation
        t=50  propose R by=A               -> ok
        t=51  vote R by=C choice=yes       -> ok
        t=51.1 vote R by=A choice=no       -> ok
        t=52  vote R by=E choice=no        -> ok
        t=71  tick
        t=72  tick                               | R rejected
        ",
    );
    let side = tally(&script, "P").cooperatives.unwrap();
    assert_eq!((side.turnout, side.delegated), (4, 2));
    assert_eq!(side.counts, Counts::YesNo { yes: 3, no: 1 });
    let through = |script: &Script, name: &str, voter: &str| {
        let ballot = script.world.state.ballot(&script.named(name), &did(voter));
        ballot.map(|ballot| ballot.through.clone())
    };
    assert_eq!(through(&script, "P", "A"), Some(vec![did("B"), did("C")]));
    assert_eq!(through(&script, "P", "D"), None);
    let side = tally(&script, "Q").cooperatives.unwrap();
    assert_eq!(side.counts, Counts::YesNo { yes: 3, no: 2 });
    assert_eq!(through(&script, "Q", "D"), Some(vec![did("E")]));
    assert_eq!(through(&script, "R", "A"), Some(vec![]), "who votes needs nobody");
    assert_eq!(tally(&script, "R").cooperatives.unwrap().turnout, 3);
    // A cycle that takes delegations on different topics lets nobody vote.
    script.run(
        "
        t+1   delegate D by=C topic=money  -> ok
        t+0.1 delegate C by=D              -> ok
        t+0.1 undelegate by=D topic=money  -> ok
        t+1   propose S by=A topic=money   -> ok
        t+1   vote S by=E choice=yes       -> ok
        t+20  tick
        t+1   tick                               | S rejected
        ",
    );
    assert_eq!(tally(&script, "S").cooperatives.unwrap().turnout, 1);
}

#[test]
fn a_cooperative_is_suspended_and_comes_back() {
    let mut script = run(
        &["A", "B", "C", "D"],
        "
        t=1   propose P by=A effect=suspend:D:100 -> ok
        t=2   vote P by=A choice=yes  -> ok
        t=2.1 vote P by=B choice=yes  -> ok
        t=2.2 vote P by=D choice=no   -> ok
        t+1   enact                         | P executed, D phase leaving
        t+1   vote P by=D choice=yes  -> not-seated
        t+1   submit J by=D max=1     -> not-seated
        t+1   epoch                         | D phase suspended
        t+99  tick
        t+1   tick                          | D phase admitted
        t+1   ready by=D              -> ok
        t+1   epoch                         | D phase seated, D available 100
        ",
    );
    script.run(
        "
        t+1   propose R by=A effect=remove:D -> ok
        t+1   vote R by=A choice=yes  -> ok
        t+1   vote R by=B choice=yes  -> ok
        t+1   vote R by=C choice=yes  -> ok
        t+1   enact                         | R executed, D phase leaving
        t+1   epoch                         | D phase left
        ",
    );
}

#[test]
fn a_version_is_followed_once_enough_nodes_can() {
    let mut script = run(
        &["A", "B", "C", "D"],
        "
        t=1   announce 1 by=A                  -> already-said
        t=2   announce 2 by=A                  -> ok
        t=3   announce 2 by=B                  -> ok
        t=4   propose P by=A effect=upgrade:2:2 -> ok
        t=5   vote P by=A choice=yes           -> ok
        t=5.1 vote P by=B choice=yes           -> ok
        t=5.2 vote P by=C choice=yes           -> ok
        t=25  tick
        t=25.1 tick
        t=36  tick
        t=37  tick                                   | P executed
        t+1   epoch
        t+1   epoch
        ",
    );
    assert_eq!(script.world.state.decided().protocol, 1, "two of four can");
    script.run("t+1 announce 2 by=C -> ok");
    let next = script.world.state.epoch().next();
    script.world.fix_seats(next);
    let planned = script.world.state.decided().upgrade.unwrap();
    assert!(planned.fixed);
    assert_eq!(planned.epoch, next, "it was planned for an earlier one");
    script.run("t+1 epoch");
    assert_eq!(script.world.state.decided().protocol, 2);
    assert_eq!(script.world.state.decided().upgrade, None);
}

#[test]
fn a_policy_regenerates_those_who_work() {
    let mut script = run_with(
        &["A", "B", "C"],
        Parameters {
            mana_rate_per_hour: Mana::from_whole(360),
            mana_capacity: Mana::from_whole(1_000),
            mana_start: Mana::from_whole(50),
            challenge_window_ms: Millis::from_secs(5),
            proposal_cost: Mana::ZERO,
            ..parameters()
        },
        "
        t=1   publish contract_c+mana-rate_earned by=A -> ok
        t=1.1 publish contract_c+mana-rate_earned by=B -> contract-known
        t=1.2 publish nothing by=A -> bad-contract
        t=2   propose P by=A effect=install:mana-capacity:contract_c+mana-rate_earned -> no-policy
        t=3   propose P by=A effect=install:mana-rate:contract_c+mana-rate_earned -> ok
        t=4   vote P by=A choice=yes  -> ok
        t=4.1 vote P by=B choice=yes  -> ok
        t=5   submit J by=A max=10    -> ok
        t=6   award J by=A bids=B:10  -> ok
        t=7   receipt J by=B          -> ok
        t=13  tick
        t=14  tick                          | J completed
        t=23.1 tick
        t=23.2 tick                         | P accepted
        t=33.3 tick
        t=34  tick                          | P executed, B rate 360
        t=60  tick
        t=61  tick                          | B rate 720, A rate 360
        ",
    );
    let before = script
        .world
        .state
        .account(&did("B"), script.world.state.time())
        .unwrap()
        .available;
    script.run("t+10 tick");
    let after = script
        .world
        .state
        .account(&did("B"), script.world.state.time())
        .unwrap()
        .available;
    assert_eq!(
        after.saturating_sub(before),
        Mana::from_whole(2),
        "720 an hour for ten seconds"
    );
    script.run("t=121 tick\nt=122 tick | B rate 360");
    script.run(
        "
        t+1   propose Q by=A effect=clear:mana-rate -> ok
        t+1   vote Q by=A choice=yes  -> ok
        t+1   vote Q by=B choice=yes  -> ok
        t+20  tick
        t+1   tick
        t+11  tick
        t+1   tick                          | Q executed, A rate none, B rate none
        ",
    );
    script.world.check_replay();
}

#[test]
fn policies_for_votes_bids_prices_and_admission() {
    let mut script = run(
        &["A", "B", "C"],
        "
        t=1   publish contract_c+vote-eligibility_refuses+bid-eligibility_no+price-ceiling_5+admission_fails by=A -> ok
        ",
    );
    let contract = "contract_c+vote-eligibility_refuses+bid-eligibility_no+price-ceiling_5+admission_fails";
    for (name, slot) in [
        ("P", "bid-eligibility"),
        ("Q", "price-ceiling"),
        ("R", "admission"),
        ("S", "vote-eligibility"),
    ] {
        script.run(&format!(
            "t+0.1 propose {name} by=A effect=install:{slot}:{contract} -> ok"
        ));
        for voter in ["A", "B"] {
            script.run(&format!("t+0.1 vote {name} by={voter} choice=yes -> ok"));
        }
    }
    script.run(
        "
        t+20  tick
        t+1   tick
        t+11  tick
        t+1   tick                          | P executed, Q executed, R executed, S executed
        t+1   submit J by=A max=6     -> policy-refused
        t+1   submit J by=A max=5     -> ok
        t+1   award J by=A bids=B:1   -> no-eligible-bid
        t+1   join by=X invited=A     -> policy-failed
        t+1   propose T by=A          -> ok
        t+1   vote T by=A choice=yes  -> policy-refused
        # Taking a policy out of its slot asks none: no rule can block its own repeal.
        t+1   propose U by=A effect=clear:vote-eligibility -> ok
        t+1   vote U by=A choice=yes  -> ok
        t+1   vote U by=B choice=yes  -> ok
        t+20  tick
        t+1   tick
        t+11  tick
        t+1   tick                          | U executed
        t+1   propose T by=A          -> ok
        t+1   vote T by=A choice=yes  -> ok
        ",
    );
    assert_eq!(script.world.state.policies().count(), 3);
}

#[test]
fn policies_are_told_what_is_so() {
    let contract = "contract_c+admission_tells+price-ceiling_tells+vote-eligibility_tells";
    let mut script = run(
        &["A", "B"],
        &format!(
            "
            t=1   join by=W invited=A as=witness  -> ok
            t=2   approve W by=A                  -> ok
            t=3   approve W by=B                  -> ok
            t=4   ready by=W                      -> ok
            t=5   epoch                                 | W phase seated
            t+1   add m by=B                      -> ok
            t+1   publish {contract} by=A         -> ok
            "
        ),
    );
    for slot in ["admission", "price-ceiling", "vote-eligibility"] {
        script.run(&format!(
            "
            t+0.1 propose {slot} by=A effect=install:{slot}:{contract} -> ok
            t+0.1 vote {slot} by=A choice=yes -> ok
            t+0.1 vote {slot} by=B choice=yes -> ok
            "
        ));
    }
    script.run(
        "
        t+20 tick
        t+1  tick
        t+11 tick
        t+1  tick | admission executed, price-ceiling executed, vote-eligibility executed
        t+1  propose P by=A -> ok
        ",
    );
    let world = &mut script.world;
    let now = |world: &World| world.state.time().after(Millis::from_secs(1));
    let told = |world: &mut World, author: &str, action| match world.act(author, action) {
        Err(Refusal::PolicyRefused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };

    let asked = PolicyQuestion::Admission(AdmissionQuestion {
        applicant: did("X"),
        sponsors: vec![did("A")],
        now: now(world),
        applied_for: Millis::ZERO,
        seats: 2,
        witnesses: 1,
        left_before: false,
    });
    let invitation = world.invitation("A", SeatKind::Cooperative, 7);
    let join = world.join("X", invitation);
    assert_eq!(told(world, "X", join), format!("{asked:?}"));

    let spec = world.spec(6);
    let at = now(world);
    let asked = PolicyQuestion::PriceCeiling(PriceQuestion {
        submitter: did("B"),
        now: at,
        cpu: Millis::new(spec.limits.wall_ms),
        memory_bytes: spec.limits.memory_bytes,
        output_bytes: spec.limits.output_bytes,
        replicas: spec.replicas,
        balance: world.state.account(&did("B"), at).unwrap().available,
        offered: spec.max_mana,
        average_price: None,
    });
    assert_eq!(
        told(world, "B", Action::SubmitJob { spec: Box::new(spec) }),
        format!("{asked:?}")
    );

    let asked = PolicyQuestion::VoteEligibility(VoteQuestion {
        voter: did("B"),
        cooperative: did("B"),
        now: now(world),
        member_for: now(world).since(START),
        members: 1,
        kind: ProposalKind::Text,
        proposer: did("A"),
        // Three for the policies, one for the witness.
        votes_cast: 4,
        votes_missed: 0,
    });
    let vote = Action::Vote {
        proposal: script.named("P"),
        choice: Choice::Yes {},
    };
    assert_eq!(told(&mut script.world, "B", vote), format!("{asked:?}"));
}

#[test]
fn the_log_knows_so_many_contracts() {
    let parameters = Parameters {
        proposal_cost: Mana::ZERO,
        ..parameters()
    };
    let mut world = World::new(&["A"], parameters);
    world.loads = false;
    let publish = |number| Action::PublishContract {
        source: format!("contract c{number}"),
    };
    let numbers = (0..limits::MAX_CONTRACTS).collect::<Vec<_>>();
    for numbers in numbers.chunks(32) {
        let operations = numbers
            .iter()
            .map(|number| world.operation("A", publish(*number)))
            .collect();
        let time = world.state.time().after(Millis::from_secs(1));
        let outcome = world.apply(time, operations);
        assert!(outcome.results.iter().all(Result::is_ok), "{:?}", outcome.results);
    }
    let max = limits::MAX_CONTRACTS as u64;
    let refused = world.act("A", publish(limits::MAX_CONTRACTS));
    assert_eq!(refused, Err(Refusal::TooManyContracts { max }));
}

#[test]
fn weights_are_a_policys_word() {
    let contract = "contract_c+vote-weight_3";
    let mut script = run(
        &["A", "B"],
        &format!(
            "
            t=1   publish {contract} by=A                                -> ok
            t=2   propose P by=A effect=install:vote-weight:{contract}   -> ok
            t=3   vote P by=A choice=yes  -> ok
            t=4   vote P by=B choice=yes  -> ok
            t=23  tick
            t=24  tick
            t=35  tick
            t=36  tick                          | P executed
            t=37  propose Q by=A          -> ok
            t=38  vote Q by=A choice=yes  -> ok
            t=58  tick
            t=59  tick                          | Q executed
            "
        ),
    );
    let side = tally(&script, "Q").cooperatives.unwrap();
    assert_eq!((side.turnout, side.counts), (1, Counts::YesNo { yes: 3, no: 0 }));
    script.run("t+1 publish contract_d+vote-weight_-1 by=A -> ok");
}

#[test]
fn plans_tell_what_would_change_and_change_nothing() {
    let mut script = run(&["A", "B"], "t=1 tick");
    let root = script.world.state.merkle_root();
    let now = script.world.state.time();
    let plan = |script: &mut Script, text: &str| {
        let effect: Effect = script.effect(text);
        script.world.state.plan(&effect, now)
    };
    let changes = plan(&mut script, "parameter:max_holds:9").unwrap();
    let [change] = changes.as_slice() else {
        panic!("one change: {changes:?}")
    };
    assert_eq!(
        (
            change.what.as_str(),
            change.before.as_str(),
            change.after.as_str()
        ),
        ("max_holds", "3", "9")
    );
    let changes = plan(&mut script, "budget:A:5").unwrap();
    assert_eq!(changes.len(), 2);
    assert!(matches!(
        plan(&mut script, "budget:X:5"),
        Err(Refusal::CannotDo { .. })
    ));
    assert!(matches!(
        plan(&mut script, "parameter:max_holds:0"),
        Err(Refusal::BadParameter { .. })
    ));
    assert_eq!(script.world.state.merkle_root(), root);
    assert_eq!(script.world.state.parameters().get(ParameterName::MaxHolds), 3);
}

#[test]
fn a_gap_in_the_log_gives_voters_their_time_back() {
    run(
        &["A", "B"],
        "
        t=1    propose P by=A             -> ok
        t=2    vote P by=A choice=yes     -> ok
        t=1000 tick                             | P open
        t=1010 vote P by=B choice=no      -> ok | P open
        t=1021 tick
        t=1022 tick                             | P rejected
        ",
    );
}

#[test]
fn what_nothing_uses_is_forgotten() {
    let mut script = run(
        &["A"],
        "
        t=1   publish contract_c+vote-weight_3 by=A -> ok
        t=2   propose P by=A                        -> ok
        t=3   vote P by=A choice=yes                -> ok
        t+1   close                                       | P executed
        t=31d tick
        t+1   tick
        ",
    );
    let state = &script.world.state;
    assert_eq!(state.contracts().count(), 0);
    assert!(state.proposal(&script.named("P")).is_some());
    assert!(!source("contract_c+x").contains('_'));
    script.run("t=200d tick\nt=201d tick");
    assert!(script.world.state.proposal(&script.named("P")).is_none());
    assert!(script.world.state.ballot(&script.named("P"), &did("A")).is_none());
}
