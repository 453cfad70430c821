//! What takes several calls: lists over all their pages, files over all their blocks.
use anyhow::Context as _;
use icn_api::{
    MAX_PAGE,
    client::{Client, ClientError},
    federation::{Members, MembersQuery},
    file::{self, FileError, Written},
    mana::{Accounts, ManaQuery},
};
use icn_model::{Cid, Receipt, Signed, canonical, limits::MAX_DAG_BLOCK_BYTES};
use std::io::{Read, Write};

/// How often a list is begun anew because the log moved on while it was read.
const MAX_RESTARTS: usize = 20;

/// All seats, without members.
pub(crate) fn seats(client: &Client) -> Result<Members, ClientError> {
    client.members(&MembersQuery {
        limit: Some(0),
        ..MembersQuery::default()
    })
}

/// All seats and all members.
pub(crate) fn members(client: &Client) -> Result<Members, ClientError> {
    let query = |after| MembersQuery {
        after,
        limit: Some(MAX_PAGE),
        ..MembersQuery::default()
    };
    let mut all = client.members(&query(None))?;
    while let Some(after) = all.next {
        let page = client.members(&query(Some(after)))?;
        all.members.extend(page.members);
        all.next = page.next;
    }
    Ok(all)
}

/// All accounts, all of one height.
pub(crate) fn accounts(client: &Client) -> anyhow::Result<Accounts> {
    let query = |after| ManaQuery {
        after,
        limit: Some(MAX_PAGE),
    };
    'anew: for _ in 0..MAX_RESTARTS {
        let mut all = client.accounts(&query(None))?;
        while let Some(after) = all.next {
            let page = client.accounts(&query(Some(after)))?;
            if page.root != all.root {
                continue 'anew;
            }
            all.items.extend(page.items);
            all.next = page.next;
        }
        return Ok(all);
    }
    anyhow::bail!(
        "the log moves on faster than {} gives its accounts: try again",
        client.base_url()
    )
}

/// Puts content block by block; `moved` hears how many bytes each block has.
pub(crate) fn put(
    client: &Client,
    content: impl Read,
    mut moved: impl FnMut(u64),
) -> anyhow::Result<Written> {
    let put = |cid: &Cid, bytes: &[u8]| {
        client.put_block(cid.codec(), bytes)?;
        moved(bytes.len() as u64);
        Ok(())
    };
    file::split(content, put).map_err(flat)
}

/// Gets content block by block and writes it to `to`.
pub(crate) fn get(
    client: &Client,
    cid: &Cid,
    to: impl Write,
    mut moved: impl FnMut(u64),
) -> anyhow::Result<Written> {
    let get = |cid: &Cid| {
        let bytes = client.get_block(cid, false)?;
        moved(bytes.len() as u64);
        Ok(bytes)
    };
    file::join(cid, get, to).map_err(flat)
}

/// Gets content into memory, if it has at most `max_bytes`.
pub(crate) fn get_bytes(client: &Client, cid: &Cid, max_bytes: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Bounded {
        bytes: Vec::new(),
        max_bytes,
    };
    get(client, cid, &mut bytes, |_| {})?;
    Ok(bytes.bytes)
}

/// A signed receipt from its block. Its signature is not checked here.
pub(crate) fn receipt(client: &Client, cid: &Cid) -> anyhow::Result<Signed<Receipt>> {
    decode_receipt(&client.get_block(cid, false)?).with_context(|| format!("{cid} is not a receipt"))
}

/// A signed receipt from the bytes of its block.
pub(crate) fn decode_receipt(bytes: &[u8]) -> Result<Signed<Receipt>, canonical::DecodeError> {
    canonical::from_bytes(bytes, MAX_DAG_BLOCK_BYTES)
}

/// The node's word, where it is one, instead of the wrapper around it.
fn flat(error: FileError<ClientError>) -> anyhow::Error {
    match error {
        FileError::Blocks(error) => error.into(),
        error => error.into(),
    }
}

/// Memory that takes no more than it should.
struct Bounded {
    bytes: Vec<u8>,
    max_bytes: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.max_bytes {
            let message = format!("more than the {} bytes that it may have", self.max_bytes);
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded() {
        let mut bounded = Bounded {
            bytes: vec![],
            max_bytes: 5,
        };
        bounded.write_all(b"12345").unwrap();
        assert!(bounded.write_all(b"6").is_err());
        assert_eq!(bounded.bytes, b"12345");
    }
}
