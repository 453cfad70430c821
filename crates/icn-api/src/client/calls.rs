//! The calls, one for each route.
use super::{Client, ClientError, Request};
use crate::{
    GZIP, MAX_OPERATIONS, Method, OCTETS,
    agreements::{AgreementPage, AgreementView, AgreementsQuery, HistoryPage, HistoryQuery},
    audit::{AuditBundle, MAX_AUDIT_BYTES},
    backups::{BackupList, BackupRequest, Merged, VerifyQuery, VerifyStatus},
    clearing::{ClearingReport, RoundPage, RoundView, RoundsQuery, UnitQuery},
    config::{ConfigChange, ConfigChanged, Configuration},
    credit::{
        ExposureQuery, Exposures, LinePage, LineView, LinesQuery, Told, TransferAnswers, TransferOrder,
        TransferOrders, TransferPage, TransfersQuery,
    },
    dag::{
        DagQuery, DagView, GcQuery, GcStatus, GetQuery, Pin, PinPage, PinRequest, PinsQuery, PutQuery,
        Stored, UnpinQuery,
    },
    events::{EventPage, EventsQuery},
    federation::{Federation, GenesisView, JoinRequest, Joining, Members, MembersQuery, SuccessorQuery},
    governance::{
        Backtest, BacktestReport, BallotPage, BallotsQuery, ContractPage, ContractView, ContractsQuery,
        Delegations, DelegationsQuery, Plan, ProposalPage, ProposalView, ProposalsQuery, Rules,
    },
    keys::{KeyName, KeyView, Keys, MadeKey, NewKey, RotateKey},
    log::LogBlock,
    mana::{AccountView, Accounts, ManaQuery},
    mesh::{Blacklist, Executors, JobPage, JobView, JobWhy, JobsQuery},
    network::{Network, Peers},
    node::{Health, Identity, Info, Ready, Rotation, Status},
    operations::{NextOperation, NextQuery, OperationStatus, Submitted, WaitQuery},
    paths,
};
use icn_model::{
    AgreementId, Cid, Codec, Did, Effect, Genesis, Height, JobId, LineId, OperationId, ProposalId, PublicKey,
    RoundNumber, SignedOperation, limits::MAX_DAG_BLOCK_BYTES,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::File,
    io::{Read as _, Write},
    time::Duration,
};

/// The largest text of metrics that is read.
const MAX_METRICS_BYTES: u64 = 16 << 20;
/// Bytes that are copied at a time.
const PIECE_BYTES: usize = 64 << 10;
/// How long a pin may take: blocks may have to come from peers.
const PIN_WAIT: Duration = Duration::from_secs(300);

impl Client {
    /// Whether the process is alive.
    ///
    /// # Errors
    /// [`ClientError`], as for every call.
    pub fn health(&self) -> Result<Health, ClientError> {
        self.json(&Request::get(paths::HEALTH))
    }

    /// Whether the node can serve; that it cannot is an answer, not an error.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn ready(&self) -> Result<Ready, ClientError> {
        let request = Request::get(paths::READY);
        let mut response = self.send_once(&request)?;
        match response.status().as_u16() {
            200 | 503 => self.decode(&request, &mut response),
            _ => Err(self.failure(&request, &mut response)),
        }
    }

    /// How the node fares.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn status(&self) -> Result<Status, ClientError> {
        self.json(&Request::get(paths::STATUS))
    }

    /// What the node is.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn info(&self) -> Result<Info, ClientError> {
        self.json(&Request::get(paths::INFO))
    }

    /// Who the node is.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn identity(&self) -> Result<Identity, ClientError> {
        self.json(&Request::get(paths::IDENTITY))
    }

    /// The text of the metrics.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn metrics(&self) -> Result<String, ClientError> {
        let bytes = self.bytes(
            &Request {
                accept: "*/*",
                ..Request::get(paths::METRICS)
            },
            MAX_METRICS_BYTES,
        )?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Gives a node that waits for one its invitation.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 409 if it is in a federation.
    pub fn join(&self, request: &JoinRequest) -> Result<Joining, ClientError> {
        let body = serde_json::to_vec(request).map_err(|source| ClientError::Decode {
            url: paths::JOIN.to_owned(),
            source,
        })?;
        self.json(&Request::post(paths::JOIN, "application/json", &body))
    }

    /// Every value of the node's configuration.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn config(&self) -> Result<Configuration, ClientError> {
        self.json(&Request::get(paths::CONFIG))
    }

    /// Changes the node's configuration at run time, all of it or nothing.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 400 with the key that cannot be changed like this.
    pub fn change_config(&self, change: &ConfigChange) -> Result<ConfigChanged, ClientError> {
        let body = serde_json::to_vec(change).map_err(|source| ClientError::Decode {
            url: paths::CONFIG.to_owned(),
            source,
        })?;
        self.json(&Request {
            method: Method::Patch,
            ..Request::post(paths::CONFIG, "application/json", &body)
        })
    }

    /// A page of events.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn events(&self, query: &EventsQuery) -> Result<EventPage, ClientError> {
        self.json(&Request::get(paths::EVENTS).query(query))
    }

    /// What `key` needs to build its next operation.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn next_operation(&self, key: PublicKey) -> Result<NextOperation, ClientError> {
        self.json(&Request::get(paths::OPERATION_NEXT).query(&NextQuery { key }))
    }

    /// Hands in operations, and waits up to `wait` until they are final.
    ///
    /// # Errors
    /// [`ClientError::TooMany`] for more than [`MAX_OPERATIONS`]; a refused operation is an answer, not an error,
    /// because operations are sent as an array, even one.
    pub fn submit(&self, operations: &[SignedOperation], wait: Duration) -> Result<Submitted, ClientError> {
        if operations.len() > MAX_OPERATIONS {
            return Err(ClientError::TooMany {
                count: operations.len(),
                max: MAX_OPERATIONS,
            });
        }
        let body = serde_json::to_vec(operations).map_err(|source| ClientError::Decode {
            url: paths::OPERATIONS.to_owned(),
            source,
        })?;
        let request = Request::post(paths::OPERATIONS, "application/json", &body).query(&wait_query(wait));
        self.json(&Request { wait, ..request })
    }

    /// Where an operation stands, after waiting up to `wait` for it to be final.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn operation(&self, id: &OperationId, wait: Duration) -> Result<OperationStatus, ClientError> {
        let request = Request::get(paths::with(paths::OPERATION, id)).query(&wait_query(wait));
        self.json(&Request { wait, ..request })
    }

    /// The federation now.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn federation(&self) -> Result<Federation, ClientError> {
        self.json(&Request::get(paths::FEDERATION))
    }

    /// How the federation began. Whether its id is the right one is the caller's to judge.
    ///
    /// # Errors
    /// [`ClientError::Corrupt`] if the genesis is not what the answer's id names.
    pub fn genesis(&self) -> Result<GenesisView, ClientError> {
        let view: GenesisView = self.json(&Request::get(paths::GENESIS))?;
        if view.genesis.id() == view.id {
            Ok(view)
        } else {
            Err(ClientError::Corrupt { cid: view.id })
        }
    }

    /// How a log would begin that continues this one without the seats of `lost`.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn successor(&self, lost: &[Did]) -> Result<Genesis, ClientError> {
        let lost = lost.iter().map(Did::to_string).collect::<Vec<_>>().join(",");
        self.json(&Request::get(paths::SUCCESSOR).query(&SuccessorQuery { lost }))
    }

    /// Seats, applicants and a page of members.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn members(&self, query: &MembersQuery) -> Result<Members, ClientError> {
        self.json(&Request::get(paths::MEMBERS).query(query))
    }

    /// A block of the log.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn log_block(&self, height: Height) -> Result<LogBlock, ClientError> {
        self.json(&Request::get(paths::with(paths::LOG_BLOCK, height)))
    }

    /// The node's own blocks.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn dag(&self, query: &DagQuery) -> Result<DagView, ClientError> {
        self.json(&Request::get(paths::DAG).query(query))
    }

    /// Puts a block of at most 1 MiB.
    ///
    /// # Errors
    /// [`ClientError::Corrupt`] if the node names it otherwise.
    pub fn put_block(&self, codec: Codec, bytes: &[u8]) -> Result<Cid, ClientError> {
        let request =
            Request::post(paths::DAG_BLOCKS, OCTETS, bytes).query(&PutQuery { codec: codec.into() });
        let stored: Stored = self.json(&request)?;
        let cid = Cid::new(codec, icn_model::Digest::of(bytes));
        if stored.cid == cid {
            Ok(cid)
        } else {
            Err(ClientError::Corrupt { cid })
        }
    }

    /// Gets a block and checks it; `local` looks on this node only.
    ///
    /// # Errors
    /// [`ClientError::Corrupt`] if the bytes are not what `cid` names.
    pub fn get_block(&self, cid: &Cid, local: bool) -> Result<Vec<u8>, ClientError> {
        let request = Request::get(paths::with(paths::DAG_BLOCK, cid)).query(&GetQuery { local });
        let bytes = self.bytes(
            &Request {
                accept: OCTETS,
                ..request
            },
            MAX_DAG_BLOCK_BYTES as u64,
        )?;
        if cid.names(&bytes) {
            Ok(bytes)
        } else {
            Err(ClientError::Corrupt { cid: *cid })
        }
    }

    /// A page of pins.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn pins(&self, query: &PinsQuery) -> Result<PinPage, ClientError> {
        self.json(&Request::get(paths::DAG_PINS).query(query))
    }

    /// Keeps a block and what it leads to.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 404 if a block is not to be had.
    pub fn pin(&self, pin: &PinRequest) -> Result<Pin, ClientError> {
        let body = serde_json::to_vec(pin).map_err(|source| ClientError::Decode {
            url: paths::DAG_PINS.to_owned(),
            source,
        })?;
        let request = Request::post(paths::DAG_PINS, "application/json", &body);
        self.json(&Request {
            wait: PIN_WAIT,
            ..request
        })
    }

    /// Keeps a block no longer; gives the pin that it had.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 404 if there is no such pin.
    pub fn unpin(&self, cid: &Cid, query: &UnpinQuery) -> Result<Pin, ClientError> {
        let request = Request::get(paths::with(paths::DAG_PIN, cid)).query(query);
        self.json(&Request {
            method: Method::Delete,
            ..request
        })
    }

    /// How far garbage collection is.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn gc_status(&self) -> Result<GcStatus, ClientError> {
        self.json(&Request::get(paths::DAG_GC))
    }

    /// Removes what nothing refers to; the answer comes when that is done, or after the wait.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 409 if a collection runs already.
    pub fn gc(&self, query: &GcQuery) -> Result<GcStatus, ClientError> {
        let request = Request::get(paths::DAG_GC).query(query);
        self.json(&Request {
            method: Method::Post,
            wait: Duration::from_millis(query.wait_ms.unwrap_or(crate::DEFAULT_WAIT_MS)),
            ..request
        })
    }

    /// Backups that the node made.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn backups(&self) -> Result<BackupList, ClientError> {
        self.json(&Request::get(paths::BACKUPS))
    }

    /// Makes a backup and writes it to `to`; `moved` hears of every piece. Gives its size in bytes. What was written
    /// before an error is no backup.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Copy`] if the stream broke off or `to` cannot be written.
    pub fn backup(
        &self,
        request: &BackupRequest,
        to: &mut impl Write,
        mut moved: impl FnMut(u64),
    ) -> Result<u64, ClientError> {
        let body = serde_json::to_vec(request).map_err(|source| ClientError::Decode {
            url: paths::BACKUPS.to_owned(),
            source,
        })?;
        let request = Request {
            accept: GZIP,
            is_long: true,
            ..Request::post(paths::BACKUPS, "application/json", &body)
        };
        let mut response = self.send(&request)?;
        let mut from = response.body_mut().with_config().limit(u64::MAX).reader();
        let copy = |source| ClientError::Copy {
            url: self.url(paths::BACKUPS),
            source,
        };
        let (mut size_bytes, mut piece) = (0, vec![0; PIECE_BYTES]);
        loop {
            let len = from.read(&mut piece).map_err(copy)?;
            if len == 0 {
                return Ok(size_bytes);
            }
            to.write_all(&piece[..len]).map_err(copy)?;
            size_bytes += len as u64;
            moved(len as u64);
        }
    }

    /// Gives the node the blocks and pins of a backup.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 422 if it does not use the archive.
    pub fn restore(&self, archive: &File) -> Result<Merged, ClientError> {
        let request = Request {
            is_long: true,
            ..Request::post(paths::RESTORE, OCTETS, &[])
        };
        let mut response = self.send_file(&request, archive)?;
        if response.status().is_success() {
            self.decode(&request, &mut response)
        } else {
            Err(self.failure(&request, &mut response))
        }
    }

    /// How far a check of the node's data is.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn verify_status(&self) -> Result<VerifyStatus, ClientError> {
        self.json(&Request::get(paths::VERIFY))
    }

    /// Checks whether what the node keeps is whole; the answer comes when that is done, or after the wait.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 409 if a check runs already.
    pub fn verify(&self, query: &VerifyQuery) -> Result<VerifyStatus, ClientError> {
        let request = Request::get(paths::VERIFY).query(query);
        self.json(&Request {
            method: Method::Post,
            wait: Duration::from_millis(query.wait_ms.unwrap_or(crate::DEFAULT_WAIT_MS)),
            ..request
        })
    }

    /// A page of jobs.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn jobs(&self, query: &JobsQuery) -> Result<JobPage, ClientError> {
        self.json(&Request::get(paths::JOBS).query(query))
    }

    /// A job.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn job(&self, id: &JobId) -> Result<JobView, ClientError> {
        self.json(&Request::get(paths::with(paths::JOB, id)))
    }

    /// How a job's executors were chosen.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn job_why(&self, id: &JobId) -> Result<JobWhy, ClientError> {
        self.json(&Request::get(paths::with(paths::JOB_WHY, id)))
    }

    /// Who runs jobs.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn executors(&self) -> Result<Executors, ClientError> {
        self.json(&Request::get(paths::EXECUTORS))
    }

    /// Whom the node gives no jobs.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn blacklist(&self) -> Result<Blacklist, ClientError> {
        self.json(&Request::get(paths::BLACKLIST))
    }

    /// A page of accounts.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn accounts(&self, query: &ManaQuery) -> Result<Accounts, ClientError> {
        self.json(&Request::get(paths::MANA).query(query))
    }

    /// An account.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn account(&self, did: &Did) -> Result<AccountView, ClientError> {
        self.json(&Request::get(paths::with(paths::ACCOUNT, did)))
    }

    /// The node's place in the network.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn network(&self) -> Result<Network, ClientError> {
        self.json(&Request::get(paths::NETWORK))
    }

    /// Connected peers.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn peers(&self) -> Result<Peers, ClientError> {
        self.json(&Request::get(paths::PEERS))
    }
}

/// Agreements between cooperatives.
impl Client {
    /// A page of agreements.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn agreements(&self, query: &AgreementsQuery) -> Result<AgreementPage, ClientError> {
        self.json(&Request::get(paths::AGREEMENTS).query(query))
    }

    /// An agreement.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn agreement(&self, id: &AgreementId) -> Result<AgreementView, ClientError> {
        self.json(&Request::get(paths::with(paths::AGREEMENT, id)))
    }

    /// A page of what has happened to an agreement. That the entries are a chain is not checked here.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn agreement_history(
        &self,
        id: &AgreementId,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, ClientError> {
        self.json(&Request::get(paths::with(paths::AGREEMENT_HISTORY, id)).query(query))
    }
}

/// Lines of credit.
impl Client {
    /// A page of lines.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn credit_lines(&self, query: &LinesQuery) -> Result<LinePage, ClientError> {
        self.json(&Request::get(paths::CREDIT_LINES).query(query))
    }

    /// A line.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn credit_line(&self, line: &LineId) -> Result<LineView, ClientError> {
        self.json(&Request::get(paths::with(paths::CREDIT_LINE, line)))
    }

    /// A page of transfers on a line of which the node's cooperative is an end. That they are chains is not checked here.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn credit_transfers(
        &self,
        line: &LineId,
        query: &TransfersQuery,
    ) -> Result<TransferPage, ClientError> {
        self.json(&Request::get(paths::with(paths::CREDIT_TRANSFERS, line)).query(query))
    }

    /// Has the node's cooperative owe more on a line. Orders without a reference are sent under a random one: what is sent
    /// again when no answer comes is made once.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn credit_transfer(
        &self,
        line: &LineId,
        orders: &TransferOrders,
    ) -> Result<TransferAnswers, ClientError> {
        let path = paths::with(paths::CREDIT_TRANSFERS, line);
        let transfers = orders.transfers.iter().cloned().map(TransferOrder::named);
        let named = TransferOrders {
            transfers: transfers
                .collect::<Result<_, _>>()
                .map_err(ClientError::Randomness)?,
            wait_ms: orders.wait_ms,
        };
        let body = serde_json::to_vec(&named).map_err(|source| ClientError::Decode {
            url: path.clone(),
            source,
        })?;
        let request = Request::post(&path, "application/json", &body);
        self.json(&Request {
            wait: Duration::from_millis(orders.wait_ms.unwrap_or(crate::DEFAULT_WAIT_MS)),
            ..request
        })
    }

    /// Has the node show the log what both ends of a line have signed.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn anchor_line(&self, line: &LineId) -> Result<Told, ClientError> {
        self.json(&Request {
            method: Method::Post,
            ..Request::get(paths::with(paths::CREDIT_ANCHOR, line))
        })
    }

    /// Has the node ask the log to make void what the other end of a line does not sign.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn void_line(&self, line: &LineId) -> Result<Told, ClientError> {
        self.json(&Request {
            method: Method::Post,
            ..Request::get(paths::with(paths::CREDIT_VOID, line))
        })
    }

    /// What a cooperative owes and is owed.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn credit_exposure(&self, query: &ExposureQuery) -> Result<Exposures, ClientError> {
        self.json(&Request::get(paths::CREDIT_EXPOSURE).query(query))
    }
}

/// Clearing.
impl Client {
    /// What a round would come to now.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn clearing_plan(&self, query: &UnitQuery) -> Result<ClearingReport, ClientError> {
        self.json(&Request::get(paths::CLEARING_PLAN).query(query))
    }

    /// A page of rounds.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn clearing_rounds(&self, query: &RoundsQuery) -> Result<RoundPage, ClientError> {
        self.json(&Request::get(paths::CLEARING_ROUNDS).query(query))
    }

    /// A round.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn clearing_round(&self, round: RoundNumber) -> Result<RoundView, ClientError> {
        self.json(&Request::get(paths::with(paths::CLEARING_ROUND, round)))
    }

    /// What a round clears, with its proof, which is not checked here.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn clearing_report(
        &self,
        round: RoundNumber,
        query: &UnitQuery,
    ) -> Result<ClearingReport, ClientError> {
        self.json(&Request::get(paths::with(paths::CLEARING_REPORT, round)).query(query))
    }
}

/// Proposals, votes and rules.
impl Client {
    /// A page of proposals.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn proposals(&self, query: &ProposalsQuery) -> Result<ProposalPage, ClientError> {
        self.json(&Request::get(paths::PROPOSALS).query(query))
    }

    /// A proposal.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn proposal(&self, id: &ProposalId) -> Result<ProposalView, ClientError> {
        self.json(&Request::get(paths::with(paths::PROPOSAL, id)))
    }

    /// A page of the votes on a proposal.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn ballots(&self, id: &ProposalId, query: &BallotsQuery) -> Result<BallotPage, ClientError> {
        self.json(&Request::get(paths::with(paths::PROPOSAL_BALLOTS, id)).query(query))
    }

    /// What it takes to check the vote on a proposal. Nothing of it is checked here.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 404 before votes can be cast.
    pub fn audit(&self, id: &ProposalId) -> Result<AuditBundle, ClientError> {
        let request = Request {
            is_long: true,
            ..Request::get(paths::with(paths::PROPOSAL_AUDIT, id))
        };
        let bytes = self.bytes(&request, MAX_AUDIT_BYTES)?;
        serde_json::from_slice(&bytes).map_err(|source| ClientError::Decode {
            url: request.path,
            source,
        })
    }

    /// What a proposal with this effect would change.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 422 with the refusal that stands in its way.
    pub fn plan(&self, effect: &Effect) -> Result<Plan, ClientError> {
        let body = serde_json::to_vec(effect).map_err(|source| ClientError::Decode {
            url: paths::GOVERNANCE_PLAN.to_owned(),
            source,
        })?;
        self.json(&Request::post(paths::GOVERNANCE_PLAN, "application/json", &body))
    }

    /// Tries a contract on what has happened.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn backtest(&self, trial: &Backtest) -> Result<BacktestReport, ClientError> {
        let body = serde_json::to_vec(trial).map_err(|source| ClientError::Decode {
            url: paths::GOVERNANCE_BACKTEST.to_owned(),
            source,
        })?;
        self.json(&Request::post(
            paths::GOVERNANCE_BACKTEST,
            "application/json",
            &body,
        ))
    }

    /// How what is decided, and what was.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn rules(&self) -> Result<Rules, ClientError> {
        self.json(&Request::get(paths::GOVERNANCE_RULES))
    }

    /// Whom somebody lets vote.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn delegations(&self, query: &DelegationsQuery) -> Result<Delegations, ClientError> {
        self.json(&Request::get(paths::DELEGATIONS).query(query))
    }

    /// A page of the log's contracts.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn contracts(&self, query: &ContractsQuery) -> Result<ContractPage, ClientError> {
        self.json(&Request::get(paths::CONTRACTS).query(query))
    }

    /// A contract with its text.
    ///
    /// # Errors
    /// [`ClientError::Corrupt`] if the text is not what `cid` names.
    pub fn contract(&self, cid: &Cid) -> Result<ContractView, ClientError> {
        let view: ContractView = self.json(&Request::get(paths::with(paths::CONTRACT, cid)))?;
        if cid.names(view.record.source.as_bytes()) {
            Ok(view)
        } else {
            Err(ClientError::Corrupt { cid: *cid })
        }
    }
}

/// Keys of the interface. A secret is told once, so a request that was not answered is not repeated.
impl Client {
    /// The named keys.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn keys(&self) -> Result<Keys, ClientError> {
        self.json(&Request::get(paths::KEYS))
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 409 if the name is taken.
    pub fn make_key(&self, new: &NewKey) -> Result<MadeKey, ClientError> {
        self.post_once(paths::KEYS, new)
    }

    /// Puts another key in the place of the node's own.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 422 if it cannot, with the reason.
    pub fn rotate_identity(&self) -> Result<Rotation, ClientError> {
        self.json(&Request::post(paths::IDENTITY_ROTATE, "application/json", &[]))
    }

    /// Gives a key a new secret.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 404 if there is no such key.
    pub fn rotate_key(&self, name: &KeyName, rotate: &RotateKey) -> Result<MadeKey, ClientError> {
        self.post_once(&paths::with(paths::KEY_ROTATE, name), rotate)
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// [`ClientError`]; the node answers 404 if there is no such key.
    pub fn revoke_key(&self, name: &KeyName) -> Result<KeyView, ClientError> {
        let request = Request::delete(paths::with(paths::KEY, name));
        self.json_once(&request)
    }

    fn post_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|source| ClientError::Decode {
            url: path.to_owned(),
            source,
        })?;
        self.json_once(&Request::post(path, "application/json", &body))
    }

    fn json_once<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, ClientError> {
        let mut response = self.send_once(request)?;
        if response.status().is_success() {
            self.decode(request, &mut response)
        } else {
            Err(self.failure(request, &mut response))
        }
    }
}

fn wait_query(wait: Duration) -> WaitQuery {
    WaitQuery {
        wait_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
    }
}
