//! Which archives belong together: a full backup and the incremental ones that continue it, each the one before.
use super::{
    BackupError,
    format::{Head, Taken},
    read,
};
use std::path::{Path, PathBuf};

/// An archive by what it says of itself.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) head: Head,
}

/// The archives of `inputs` (files, or directories of files that end in `.tar.gz`) that lead to the youngest one, in
/// order. Archives that it does not stand on are left out.
pub(super) fn find(inputs: &[PathBuf]) -> Result<Vec<Found>, BackupError> {
    let mut found = Vec::new();
    for path in files(inputs)? {
        let head = read::head(&path).map_err(|source| BackupError::archive(&path, source))?;
        found.push(Found { path, head });
    }
    order(found)
}

fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, BackupError> {
    let mut files = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            files.push(input.clone());
            continue;
        }
        for file in std::fs::read_dir(input)? {
            let path = file?.path();
            if path.to_string_lossy().ends_with(".tar.gz") {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        let place = inputs.first().map(PathBuf::as_path).unwrap_or(Path::new("."));
        return Err(BackupError::NoArchive {
            place: place.to_owned(),
        });
    }
    files.sort();
    Ok(files)
}

fn order(mut found: Vec<Found>) -> Result<Vec<Found>, BackupError> {
    let age = |taken: &Taken| (taken.created, taken.height, taken.id.clone());
    found.sort_by_key(|archive| age(&archive.head.taken));
    let mut chain: Vec<Found> = found.pop().into_iter().collect();
    while let Some(first) = chain.last()
        && let Some(base) = first.head.base.clone()
    {
        let at = found.iter().position(|other| other.head.taken == base);
        let Some(at) = at else {
            return Err(BackupError::Missing {
                path: first.path.clone(),
                id: base.id,
                created: base.created,
                height: base.height,
            });
        };
        chain.push(found.remove(at));
    }
    chain.reverse();
    let one = |a: &Head, b: &Head| a.federation.id == b.federation.id && a.node == b.node;
    if chain.windows(2).any(|pair| !one(&pair[0].head, &pair[1].head)) {
        return Err(BackupError::Mixed);
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::format::{FORMAT, FederationName};
    use icn_model::{Cid, Did, Digest, Height, SecretKey, Time};

    fn archive(id: u64, base: Option<&Found>) -> Found {
        let head = Head {
            format: FORMAT,
            program: "icn-node".into(),
            taken: Taken {
                id: format!("{id:x}"),
                created: Time::new(id),
                height: Height::new(id),
                last_event: id,
            },
            root: Digest::ZERO,
            state: Digest::ZERO,
            node: Did::new(SecretKey::from_seed(&[1; 32]).public()),
            federation: FederationName {
                id: Cid::of_raw(b"federation"),
                name: "valley".parse().unwrap(),
            },
            base: base.map(|base| base.head.taken.clone()),
        };
        Found {
            path: format!("{id}.tar.gz").into(),
            head,
        }
    }

    fn ids(chain: &[Found]) -> Vec<&str> {
        chain
            .iter()
            .map(|archive| archive.head.taken.id.as_str())
            .collect()
    }

    #[test]
    fn a_chain_is_put_in_order_and_what_is_missing_is_named() {
        let full = archive(1, None);
        let second = archive(2, Some(&full));
        let third = archive(3, Some(&second));
        // Stands on the first one, as after `--since`.
        let branch = archive(4, Some(&full));
        let all = || vec![third.clone(), full.clone(), second.clone()];
        assert_eq!(ids(&order(all()).unwrap()), ["1", "2", "3"]);
        let mut more = all();
        more.push(branch);
        assert_eq!(ids(&order(more).unwrap()), ["1", "4"]);
        let gap = order(vec![full, third]).unwrap_err().to_string();
        assert!(gap.contains("3.tar.gz") && gap.contains("height 2"), "{gap}");
        let error = order(vec![second]).unwrap_err();
        assert!(matches!(error, BackupError::Missing { id, .. } if id == "1"));
    }

    #[test]
    fn archives_of_two_nodes_are_no_chain() {
        let full = archive(1, None);
        let mut second = archive(2, Some(&full));
        second.head.node = Did::new(SecretKey::from_seed(&[2; 32]).public());
        assert!(matches!(order(vec![full, second]), Err(BackupError::Mixed)));
    }
}
