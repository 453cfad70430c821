//! What time does to lines: what nobody showed in time is void, and former limits are forgotten.
use super::{LineKey, index::due_at};
use crate::step::{GAP, MAX_DUE_PER_BLOCK, Step};
use alloc::vec::Vec;
use icn_model::{CreditStep, Did};

impl Step<'_> {
    pub(crate) fn expire_lines(&mut self) {
        let due = self
            .state
            .tables
            .lines
            .index()
            .due
            .before(self.now(), MAX_DUE_PER_BLOCK);
        due.iter().for_each(|key| self.expire_line(key));
    }

    /// Does what is due for one line.
    pub(super) fn expire_line(&mut self, key: &LineKey) {
        let now = self.now();
        let Some(line) = self.state.tables.lines.get(key) else {
            return;
        };
        if due_at(line).is_none_or(|due| due >= now) {
            return;
        }
        let mut line = line.clone();
        line.former = line.former.filter(|former| former.until >= now);
        for end in 0..line.chains.len() {
            let chain = &mut line.chains[end];
            let Some(void) = chain.voiding.filter(|void| void.until < now) else {
                continue;
            };
            chain.voiding = None;
            chain.void_through = void.through;
            let after = chain.head;
            let debtor = line.ends[end];
            let through = void.through;
            self.tell_of_line(
                key,
                CreditStep::Voided {
                    debtor,
                    after,
                    through,
                },
            );
        }
        self.set_line(key, line);
    }

    /// After a long pause of the log, those who could not show anything get the lost time back.
    pub(crate) fn bridge_credit_gap(&mut self) {
        let gap = self.context.time.since(self.context.parent_time);
        if gap <= GAP {
            return;
        }
        let timed: Vec<LineKey> = self.state.tables.lines.index().due.all();
        for key in timed {
            let Some(mut line) = self.state.tables.lines.get(&key).cloned() else {
                continue;
            };
            for void in line.chains.iter_mut().filter_map(|chain| chain.voiding.as_mut()) {
                void.until = void.until.after(gap);
            }
            if let Some(former) = &mut line.former {
                former.until = former.until.after(gap);
            }
            self.state.tables.lines.set(key, line);
        }
        let replaced = |seat: &icn_model::SeatRecord| !seat.succession.former_lines.is_empty();
        let seats = self.state.tables.seats.iter().filter(|(_, seat)| replaced(seat));
        let seats: Vec<Did> = seats.map(|(did, _)| *did).collect();
        for did in seats {
            let Some(mut seat) = self.state.tables.seats.get(&did).cloned() else {
                continue;
            };
            for former in &mut seat.succession.former_lines {
                former.until = former.until.after(gap);
            }
            self.state.tables.seats.set(did, seat);
        }
    }
}
