//! Refusals: the closed, numbered list of reasons for which an operation changes nothing.
//!
//! A number, once given, keeps its meaning for ever; a reason that falls out of use keeps its number.
//! Checks are made in the order of the numbers' hundreds, so the first reason that applies is the one told:
//! form (1xx), who (2xx), membership (3xx), mana (4xx), jobs (5xx), governance (7xx), policies (8xx), agreements
//! (10xx), credit (11xx), clearing (12xx). The 6xx are faults of nodes, the 9xx errors of the HTTP interface.
use crate::{
    AgreementId, AgreementState, Cid, CreditUnit, Did, JobId, Mana, PolicySlot, ProposalId, ProposalKind,
    PublicKey, Role, RoundNumber, Sequence, Time,
};
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What `icn-cli explain CODE` tells of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The number.
    pub number: u16,
    /// The name, stable.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

macro_rules! refusals {
    ($( $(#[$doc:meta])* $number:literal $variant:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? }
        $name:literal, $text:literal, $meaning:literal, $remedy:literal; )*) => {
        /// Why an operation changes nothing.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub enum Refusal {
            $( #[doc = $meaning] $variant { $( #[doc = stringify!($field)] $(#[$fdoc])* $field: $ty ),* }, )*
        }

        /// The codes of all refusals, in order of their numbers.
        pub const REFUSAL_CODES: &[Code] = &[
            $( Code { number: $number, name: $name, meaning: $meaning, remedy: $remedy }, )*
        ];

        impl Refusal {
            /// Number, name, meaning and remedy.
            pub const fn code(&self) -> Code {
                match self {
                    $( Self::$variant { .. } =>
                        Code { number: $number, name: $name, meaning: $meaning, remedy: $remedy }, )*
                }
            }
        }

        impl fmt::Display for Refusal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $( Self::$variant { $($field),* } => write!(f, $text), )*
                }
            }
        }
    };
}

refusals! {
    101 Malformed { detail: String } "malformed", "malformed: {detail}",
        "The bytes are not what they claim to be.",
        "Build the message with icn-cli or the icn-api types; the detail names the first thing that is wrong.";
    102 TooLarge { what: String, value: u64, max: u64 } "too-large", "{what} is {value}, at most {max} is allowed",
        "A size or count is over its fixed bound.",
        "Make it smaller; large content goes into blocks of its own that an operation names by CID.";
    103 WrongFederation {} "wrong-federation", "the operation is for another federation",
        "Operations name the federation that they are for and mean nothing in another.",
        "Point the command at a node of the federation that you mean.";
    104 BadSignature {} "bad-signature", "the signature is not by the named key over these bytes",
        "The content was changed after signing, or signed with another key.",
        "Sign again with the key that the operation names.";
    105 Expired { expires: Time, now: Time } "expired", "expired at {expires}, the log is at {now}",
        "The operation reached the log after its own expiry; it was not done and will not be.",
        "Send it again. If this happens often, check the clock of the machine that signs.";
    106 ExpiryTooFar { expires: Time, max: Time } "expiry-too-far", "expires at {expires}, the latest allowed is {max}",
        "An operation may wait for at most an hour of block time.",
        "Sign with a nearer expiry; check the clock of the machine that signs.";
    107 SequenceUsed { sequence: Sequence } "sequence-used", "number {sequence} of this key is used",
        "Each number of a key counts once; of two operations with one number the first in the log wins.",
        "If you did not send two, the operation has already been done: look it up by its id. Else sign again with a new number.";
    108 SequenceOutOfWindow { sequence: Sequence, highest: Sequence } "sequence-out-of-window",
        "number {sequence} is too far from {highest}, the highest used by this key",
        "Numbers of one key lie in a window of 64 around the highest that it has used.",
        "Ask the node for the key's next number (GET /v1/operations/next) and sign again.";
    201 UnknownAuthor { author: Did } "unknown-author", "{author} is not known to this federation",
        "The author is neither a cooperative, a witness nor a member.",
        "Join with an invitation, or have an officer of your cooperative add you as a member.";
    202 NotAuthorised { author: Did, needs: Role } "not-authorised", "the key does not act as {needs} of {author}",
        "Each act needs a key of a certain role of its author.",
        "Sign with a key of that role; `icn-cli federation members` lists the keys and roles.";
    203 NotACooperative { author: Did } "not-a-cooperative", "{author} is not a cooperative",
        "Only cooperatives have accounts, members, jobs and approvals; a witness only orders blocks.",
        "Act through a cooperative.";
    301 InvitationInvalid { detail: String } "invitation-invalid", "the invitation does not hold: {detail}",
        "The invitation is for another federation, signed by no officer, or altered.",
        "Ask the inviting cooperative for a new one (`icn-cli federation invite`).";
    302 InvitationExpired { expires: Time, now: Time } "invitation-expired", "the invitation expired at {expires}, the log is at {now}",
        "Invitations end by block time.",
        "Ask the inviting cooperative for a new one.";
    303 InvitationUsed {} "invitation-used", "the invitation has been used",
        "An invitation lets one node apply, once.",
        "Ask the inviting cooperative for a new one.";
    304 AlreadyKnown { did: Did } "already-known", "{did} already belongs to this federation",
        "The identity has a seat, an application or a membership.",
        "Nothing to do; `icn-cli federation members` shows where it stands.";
    305 KeyInUse { did: Did } "key-in-use", "a key of this operation already acts for {did}",
        "A seat key belongs to one node only: two nodes with one key would be taken for a liar.",
        "Make a new key (`icn-cli key new`); one that a seat had before does not come back.";
    306 UnknownApplicant { applicant: Did } "unknown-applicant", "{applicant} has not applied",
        "There is no open application of this identity.",
        "`icn-cli federation members` lists applicants; the applicant must run `icn-cli federation join` first.";
    307 AlreadyApproved { applicant: Did } "already-approved", "this officer has said so already, or it is decided: {applicant}",
        "One officer counts once.",
        "Nothing to do.";
    308 NotAdmitted {} "not-admitted", "the author has not been admitted",
        "Only an admitted node can say that it is ready.",
        "Wait for over half of the cooperatives to approve.";
    309 NotSeated {} "not-seated", "the author has no seat, or is giving it up",
        "Only a cooperative or witness with a seat that it is not giving up can do this.",
        "`icn-cli federation members` shows where each seat stands.";
    310 LastCooperative {} "last-cooperative", "the last cooperative cannot leave",
        "A federation without a cooperative has nobody to continue it.",
        "Stop the node, if the federation is to end.";
    311 TooManySeats { max: u64 } "too-many-seats", "there are {max} seats already",
        "A federation has at most 128 seats.",
        "Wait until a seat leaves, or federate as members of a cooperative that has one.";
    312 UnknownMember { member: Did } "unknown-member", "{member} is not a member of the author",
        "The identity is not a member of this cooperative.",
        "`icn-cli federation members` lists members.";
    313 TooManyMembers { max: u64 } "too-many-members", "the cooperative has {max} members already",
        "The log knows a bounded number of members of each cooperative.",
        "Remove members that have left.";
    314 BadKeys {} "bad-keys", "the keys cannot act: check each key and the officers' threshold",
        "A key is no Ed25519 key, an officer is listed twice, the threshold cannot be met, or the application is not signed by the identity's first key.",
        "List each officer once, set the threshold between 1 and their number, and sign with the first key.";
    315 TooManyApplications { inviter: Did, max: u64 } "too-many-applications",
        "{max} applications invited by {inviter} are open already",
        "Each cooperative can have a bounded number of applicants at once.",
        "Decide on the open applications, or wait until they lapse.";
    316 KeysUnchanged {} "keys-unchanged", "these keys act already, or will with the next epoch",
        "A rotation names what is to change.",
        "Nothing to do; `icn-cli key roles` shows which keys act.";
    317 NotPossessed { key: PublicKey } "not-possessed", "nothing shows that {key} is held by who is to have it",
        "A new key of a seat or member signs for whom it is to act, so that nobody is given a key that nobody has.",
        "Rotate with `icn-cli key rotate`, which signs with both keys.";
    401 InsufficientMana { available: Mana, needed: Mana } "insufficient-mana", "{available} available, {needed} needed",
        "The account has not enough spendable mana now; what is held or maturing does not count.",
        "Wait for regeneration, ask your cooperative to share, or offer less. `icn-cli mana balance` shows the parts.";
    402 TooManyHolds { open: u32, max: u32 } "too-many-holds", "{open} holds are open, at most {max} are allowed",
        "Each open job holds mana; their number per account is bounded.",
        "Wait for jobs to settle, or cancel some.";
    403 NotSharable { to: Did } "not-sharable", "mana moves only between a cooperative and its own members, not to {to}",
        "Mana is earned by work and shared within a cooperative; it is not money.",
        "Pay other cooperatives by credit lines, or submit a job.";
    404 ZeroAmount {} "zero-amount", "the amount is zero",
        "Nothing would change.",
        "Name an amount above zero.";
    501 UnknownJob { job: JobId } "unknown-job", "there is no job {job}",
        "No job of this id is in the log, or it is so old that it was pruned.",
        "Check the id; `icn-cli job ls` lists jobs.";
    502 BadJob { detail: String } "bad-job", "the job cannot be run: {detail}",
        "The job asks for what no job may have.",
        "The detail names the field and what is allowed.";
    503 BadDeadline { deadline: Time, earliest: Time, latest: Time } "bad-deadline",
        "the deadline {deadline} is not between {earliest} and {latest}",
        "A job ends within a week, and not before it could be run.",
        "Choose another deadline.";
    504 WrongState { job: JobId, state: String } "wrong-state", "job {job} is {state}",
        "What was asked does not fit the job's state.",
        "`icn-cli job status ID` shows the state and how it came about.";
    505 WrongAttempt { job: JobId, attempt: u32, current: u32 } "wrong-attempt", "job {job} is at attempt {current}, not {attempt}",
        "The message is about an attempt that is over.",
        "Nothing to do: the job goes on without it.";
    506 NotCoordinator { until: Time } "not-coordinator", "until {until} only the job's coordinator may award it",
        "Other seats may award a job only after its coordinator has been silent for a while.",
        "Wait; any seat may award it then.";
    507 BadBid { executor: Did, detail: String } "bad-bid", "the bid of {executor} does not count: {detail}",
        "A bid in the award is for something else, expired, twice, or not signed by the bidder's seat.",
        "The coordinator must leave it out.";
    508 NoEligibleBid { eligible: u32, needed: u32 } "no-eligible-bid", "{eligible} eligible bids, {needed} needed",
        "Too few of the bids in the award meet what the job requires.",
        "`icn-cli job why ID` shows each bidder and the rule that excluded it.";
    509 NotExecutor { job: JobId } "not-executor", "job {job} is not awarded to the author",
        "Only who a job was awarded to can deliver or return it.",
        "Nothing to do.";
    510 ReceiptMismatch { detail: String } "receipt-mismatch", "the receipt is not for this job: {detail}",
        "The receipt names another module, job or attempt, or is not signed by the executor's seat.",
        "The executor must post a receipt of what was awarded.";
    511 NotSubmitter { job: JobId } "not-submitter", "job {job} belongs to somebody else",
        "Only who submitted a job can cancel it.",
        "Ask the submitter.";
    512 NotChallengeable { job: JobId, detail: String } "not-challengeable", "job {job} cannot be challenged: {detail}",
        "Only a settled, reproducible receipt can be challenged, once, within its window, by somebody else than its executors.",
        "`icn-cli receipt verify CID --replay` shows whether a receipt is true at any time.";
    513 NotOnJury { job: JobId } "not-on-jury", "the author was not drawn for job {job}, or has spoken",
        "Drawn seats replay a challenged job, each once.",
        "Nothing to do.";
    701 UnknownProposal { proposal: ProposalId } "unknown-proposal", "there is no proposal {proposal}",
        "No proposal of this id is in the log, or it is so old that it was pruned.",
        "Check the id; `icn-cli proposal ls` lists proposals.";
    702 BadProposal { detail: String } "bad-proposal", "nothing can be proposed so: {detail}",
        "The proposal is not one that could be voted on.",
        "The detail names the field and what is allowed.";
    703 WrongTerms { detail: String } "wrong-terms", "proposals of this kind go otherwise: {detail}",
        "What binds is voted on as the process of its kind says.",
        "`icn-cli proposal rules` shows the process of each kind.";
    704 BadClosing { closes: Time, earliest: Time, latest: Time } "bad-closing",
        "voting would end at {closes}, which is not between {earliest} and {latest}",
        "A proposal is open for as long as its process asks for, and for no more than 90 days.",
        "Choose another end, or leave it out.";
    705 TooManyProposals { open: u64, max: u64 } "too-many-proposals", "{open} proposals are open, at most {max} are allowed",
        "Each cooperative can have 16 proposals under way at once, the federation 256.",
        "Wait until some are decided, or withdraw one (`icn-cli proposal cancel ID`).";
    706 WrongPhase { proposal: ProposalId, state: String } "wrong-phase", "proposal {proposal} is {state}",
        "What was asked does not fit the proposal's state: votes are cast while it is open.",
        "`icn-cli proposal show ID` shows the state and how it came about.";
    707 NotOnRoll { voter: Did } "not-on-roll", "{voter} is not on the roll of this proposal",
        "Those vote who belonged to the federation before the proposal opened, and still do.",
        "`icn-cli proposal show ID` shows who is on the roll.";
    708 BadChoice { detail: String } "bad-choice", "nobody can vote so here: {detail}",
        "The vote does not fit the proposal's method and options.",
        "`icn-cli proposal show ID` shows the method and the options.";
    709 VoteIsFinal {} "vote-is-final", "the author has voted, and votes on this proposal are final",
        "The proposal says that a vote cannot be changed.",
        "Nothing to do.";
    710 AlreadySaid {} "already-said", "the author has said exactly this already",
        "One voice counts once.",
        "Nothing to do.";
    711 NotProposer { proposal: ProposalId } "not-proposer", "proposal {proposal} was made by somebody else",
        "Only who made a proposal can withdraw it.",
        "Vote against it.";
    712 SelfDelegation {} "self-delegation", "the author would vote for itself",
        "Who votes needs no delegation.",
        "Name somebody else.";
    713 DelegationCycle { through: Did } "delegation-cycle", "the vote would come back to the author, through {through}",
        "A chain of delegations must end with somebody who votes.",
        "Name somebody who does not let you vote for them.";
    714 NotDelegable { to: Did } "not-delegable", "the author cannot let {to} vote for it",
        "Members let members vote, cooperatives let cooperatives; a chain has at most 16 links.",
        "`icn-cli federation members` lists both.";
    715 UnknownDelegation {} "unknown-delegation", "there is no such delegation",
        "The author lets nobody vote for it on this topic.",
        "`icn-cli delegate ls` lists your delegations.";
    716 TooManyDelegations { max: u64 } "too-many-delegations", "the author has {max} delegations already",
        "Their number is bounded.",
        "End one first (`icn-cli delegate end`).";
    717 DelegationEnded { until: Time, now: Time } "delegation-ended", "the delegation would have ended at {until}, the log is at {now}",
        "A delegation ends in the future.",
        "Name a later time, or none.";
    718 BuiltInProcess { kind: ProposalKind } "built-in-process", "the process for {kind} is built in",
        "Removals and the replacing of policies follow rules that no vote changes, so that no rule can block its own repeal.",
        "Nothing to do.";
    719 BadProcess { detail: String } "bad-process", "no vote can go so: {detail}",
        "A process needs a quorum above 0, a threshold that can be met, and a bounded time.",
        "The detail names what is wrong.";
    720 BadParameter { name: String, value: u64, min: u64, max: u64 } "bad-parameter", "{name} = {value} is out of range: {min} to {max}",
        "Each parameter has a range.",
        "Choose a value within it; amounts of mana are in thousandths, times in milliseconds.";
    721 NothingChanges { detail: String } "nothing-changes", "nothing would change: {detail}",
        "The state is already as the proposal wants it.",
        "Nothing to do.";
    722 CannotDo { detail: String } "cannot-do", "this cannot be carried out: {detail}",
        "What the proposal would change is not as it must be for that.",
        "The detail names what stands in the way. `icn-cli proposal retry ID` tries again, once that has changed.";
    723 CannotSponsor { detail: String } "cannot-sponsor", "the author cannot sponsor this proposal: {detail}",
        "Sponsors are other cooperatives than the proposer's, each once, while the proposal is a draft.",
        "`icn-cli proposal show ID` shows who sponsors it.";
    801 BadContract { detail: String } "bad-contract", "the text is no contract: {detail}",
        "What is published must be a contract or module of the Cooperative Contract Language, without faults.",
        "`icn-cli ccl check FILE` shows each fault with its place and a suggestion.";
    802 UnknownContract { contract: Cid } "unknown-contract", "the log has no contract {contract}",
        "A policy names a contract that was published in the log.",
        "Publish it first: `icn-cli ccl publish FILE`.";
    803 NoPolicy { contract: Cid, slot: PolicySlot } "no-policy", "contract {contract} has no policy for {slot}",
        "A contract decides the slots for which it has a policy.",
        "`icn-cli ccl explain FILE` lists the policies of a contract.";
    804 SlotTaken { slot: PolicySlot, contract: Cid } "slot-taken", "{slot} is decided by contract {contract} already",
        "One contract decides a slot at a time.",
        "Propose to replace it (`icn-cli proposal create replace-policy`).";
    805 SlotFree { slot: PolicySlot } "slot-free", "no contract decides {slot}",
        "There is nothing to replace or remove.",
        "`icn-cli proposal rules` lists the policies in force.";
    806 PolicyRefused { slot: PolicySlot, contract: Cid, reason: String } "policy-refused", "contract {contract}, which decides {slot}, says no: {reason}",
        "The federation has let a contract decide this; the reason is the contract's own.",
        "`icn-cli proposal rules` names the contract, `icn-cli ccl show CID` shows its text.";
    807 PolicyFailed { slot: PolicySlot, contract: Cid, detail: String } "policy-failed", "contract {contract}, which decides {slot}, failed: {detail}",
        "The contract came to a fault (an overflow, a division by zero, no fuel left) instead of an answer.",
        "Propose to replace or remove the policy; nothing that it decides goes on until then.";
    808 TooManyContracts { max: u64 } "too-many-contracts", "the log has {max} contracts already",
        "Contracts that nothing uses are forgotten after 30 days.",
        "Wait for that.";
    809 ContractKnown { contract: Cid } "contract-known", "the log has contract {contract} already",
        "One text is published once.",
        "Nothing to do.";
    1001 UnknownAgreement { agreement: AgreementId } "unknown-agreement", "there is no agreement {agreement}",
        "No agreement of this id is in the log, or it ended so long ago that it was pruned.",
        "Check the id; `icn-cli agreement ls` lists agreements.";
    1002 BadTerms { detail: String } "bad-terms", "nobody can agree on this: {detail}",
        "The terms are not those of an agreement that could hold.",
        "The detail names what is wrong and what is allowed.";
    1003 NotAParty { agreement: AgreementId } "not-a-party", "the author is no party of agreement {agreement} that is heard",
        "Parties that sign decide about an agreement; witnesses are told.",
        "`icn-cli agreement show ID` lists the parties and their roles.";
    1004 WrongAgreementState { agreement: AgreementId, state: AgreementState, act: String } "wrong-agreement-state",
        "agreement {agreement} is {state}: {act} does not fit",
        "What was asked does not fit where the agreement stands.",
        "`icn-cli agreement show ID` shows where it stands and what can be done next.";
    1005 WrongRevision { revision: u32, expected: u32 } "wrong-revision", "revision {revision} was named, and {expected} is next",
        "Somebody else has offered other terms meanwhile, or the offer that was named is over.",
        "Read the newest revision (`icn-cli agreement show ID`) and decide anew.";
    1006 WrongContent { revision: u32 } "wrong-content", "revision {revision} says something else than what was signed",
        "A signature is for the complete content of one revision, and this one's digest is another.",
        "Read the revision (`icn-cli agreement show ID`) and sign what it says.";
    1007 NotForThisParty { detail: String } "not-for-this-party", "the author cannot say this: {detail}",
        "Some words are those of one party only.",
        "The detail names whose word it is.";
    1008 TooManyAgreements { open: u64, max: u64 } "too-many-agreements", "{open} agreements of the author are under way, at most {max} are allowed",
        "Each cooperative can have proposed a bounded number of agreements that have not ended.",
        "End some of them, or let the other party propose.";
    1009 NoReason {} "no-reason", "there is no reason, or it has more than 512 bytes",
        "Whoever turns down, suspends or ends an agreement tells the others why.",
        "Give a reason in a sentence; longer texts are blocks that it can name.";
    1010 AgreementFull { max: u64 } "agreement-full", "the history of the agreement has {max} entries already",
        "An agreement goes a bounded number of steps. It can still be ended.",
        "Propose a new agreement in its place.";
    1101 UnknownLine { agreement: AgreementId, unit: CreditUnit } "unknown-line", "agreement {agreement} has no line in {unit}",
        "A line is opened when an agreement on credit takes effect, one for each unit in its terms.",
        "Check the agreement and the unit; `icn-cli agreement show ID` lists both.";
    1102 NotAnEnd { agreement: AgreementId } "not-an-end", "the author is no end of the lines of agreement {agreement}",
        "A line is between the proposer and the counterparty of its agreement.",
        "Only these two can say this; anybody can prove that one of them signed two transfers with one number.";
    1103 BadHead { detail: String } "bad-head", "the transfer cannot be anchored: {detail}",
        "What was shown is no transfer of this line, or not at most one of each of its two chains.",
        "The detail names what is wrong. Show the last transfer of each chain that both ends have signed.";
    1104 NotItsLineKey { end: Did, key: PublicKey } "not-its-line-key", "{key} does not sign transfers of {end}, nor did lately",
        "Transfers are signed with line keys. One that was replaced counts for seven days after that, for what was signed by both before.",
        "Anchor what was signed with a key soon after it is replaced; sign new transfers with the new one.";
    1105 HalfSigned { detail: String } "half-signed", "not signed by both ends: {detail}",
        "Only what the debtor has signed and the creditor has countersigned is final.",
        "Have the other end countersign it, or have the log make it void.";
    1106 OldHead { end: Did, number: u64, anchored: u64 } "old-head", "number {number} of {end} is not after {anchored}, which is anchored",
        "A chain is anchored at the highest number that was shown; lower ones are covered by it.",
        "Nothing to do.";
    1107 OtherHead { end: Did, number: u64 } "other-head", "another transfer of {end} is anchored with number {number}",
        "The debtor has signed two transfers with one number, and the creditor has countersigned both.",
        "Prove it with both transfers, and the line freezes.";
    1108 VoidNumber { end: Did, number: u64, through: u64 } "void-number", "the numbers of {end} up to {through} are void, {number} among them",
        "What a creditor does not show within the window for it cannot be anchored any more.",
        "The debtor can sign the amount again, with a higher number.";
    1109 OverLimit { end: Did, owes: u64, limit: u64 } "over-limit", "{end} would owe {owes}, and may owe {limit}",
        "The transfer was signed over the limit that its agreement sets, or after credit was suspended, frozen or ended.",
        "`icn-cli agreement show ID` shows the limits. What shrinks what is owed can always be anchored.";
    1110 UnseenHead { end: Did, seen: u64, anchored: u64 } "unseen-head", "the transfer counts on number {seen} of {end}, of which {anchored} is anchored",
        "What a transfer counts against its amount must be shown with it, and be what was anchored.",
        "Anchor the last transfers of both chains together.";
    1111 NoEquivocation { detail: String } "no-equivocation", "nothing is proved: {detail}",
        "Two transfers of one chain with one number and different content, both signed by the debtor, prove that it signed twice.",
        "Show two such transfers as they were signed.";
    1112 AlreadyFrozen {} "already-frozen", "the line is frozen already",
        "One proof is enough.",
        "Nothing to do. The line opens again when all parties sign new terms.";
    1113 NothingToVoid { through: u64, settled: u64 } "nothing-to-void", "the numbers up to {settled} are anchored or void, {through} among them",
        "Only what is not countersigned can become void.",
        "Nothing to do.";
    1114 VoidOpen { until: Time } "void-open", "the creditor can show countersignatures until {until}",
        "One window is open at a time for each chain.",
        "Wait until it is over.";
    1115 BadRelease { detail: String } "bad-release", "the release does not hold: {detail}",
        "A release is the creditor's signed word that the author's first transfer after the anchored head is void.",
        "Anchor the head that the release names first, or leave the release out and wait for the window.";
    1116 NotDisputed {} "not-disputed", "the author has no dispute on this line",
        "An end withdraws its own dispute.",
        "Nothing to do.";
    1117 OverLimitInRound { end: Did, owes: u64, limit: u64, round: RoundNumber } "over-limit-in-round",
        "{end} would owe up to {owes} if round {round} of clearing is applied, and may owe {limit}",
        "While the plan of a round is open to objections, what is anchored must fit the limit whether the round is applied or not.",
        "Wait until the round is over, and anchor the transfer then.";
    1201 NoSuchRound { round: RoundNumber } "no-such-round", "round {round} of clearing is not under way",
        "One round is under way at a time, and each has a number.",
        "`icn-cli clearing status` shows the round that is under way.";
    1202 WrongRoundPhase { round: RoundNumber, phase: String, act: String } "wrong-round-phase",
        "round {round} of clearing is {phase}: {act} does not fit",
        "Lines join a round before its freeze, and those whom its plan touches object after it.",
        "`icn-cli clearing status` shows where the round is, and until when.";
    1203 NotTouched { round: RoundNumber } "not-touched", "no line of the author is in the plan of round {round}",
        "Those object whose lines a plan touches; their lines leave it.",
        "Nothing to do: the round changes nothing for the author.";
    1204 RoundUnderWay { round: RoundNumber } "round-under-way", "round {round} of clearing is under way",
        "One round is under way at a time.",
        "Wait until it is over; a proposal that failed for this can be tried again (`icn-cli proposal retry ID`).";
    1205 NoLines {} "no-lines", "no line is named",
        "A cooperative joins a round with the lines that it names.",
        "Name at least one; `icn-cli credit ls` lists them.";
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_in_order() {
        assert!(REFUSAL_CODES.is_sorted_by(|a, b| a.number < b.number));
        for (at, code) in REFUSAL_CODES.iter().enumerate() {
            assert!(
                REFUSAL_CODES[..at].iter().all(|other| other.name != code.name),
                "{}",
                code.name
            );
            assert!(
                code.meaning.ends_with('.') && code.remedy.ends_with('.'),
                "{}",
                code.name
            );
        }
    }
}
