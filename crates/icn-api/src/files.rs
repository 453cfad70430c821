//! Files that node and command line share, besides keys: the profile that a node leaves for the command
//! line, and the invitation that a newcomer starts from.
use icn_model::{Did, Endorsement, Genesis, GenesisError, Invitation, SignatureError, Signed};
use serde::{Deserialize, Serialize};

/// How to reach a node and as whom: what a node writes to `cli.toml` in its data directory (mode 0600),
/// and what `icn-cli` reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Base URL of the node's HTTP interface, without a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// The key that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// The key file to sign operations with; relative to this file's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_path: Option<std::path::PathBuf>,
    /// Certificates (PEM) that a node's own is to be signed by, in place of those of the public authorities; relative
    /// to this file's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<std::path::PathBuf>,
    /// For whom operations are done; the identity that begins with the key, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
    /// Where the node's store is, for what is done to it while the node is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StorePlace>,
}

/// Where a node's store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorePlace {
    /// The storage backend, as `--storage-backend` takes it.
    pub backend: String,
    /// Its directory, or the URL of its database without the password; none for a store in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What a newcomer needs to find a federation, follow its log and apply for a seat. JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InvitationFile {
    /// How the federation began; its CID must be the one that the invitation names.
    pub genesis: Genesis,
    /// The invitation.
    pub invitation: Signed<Invitation>,
}

/// Why an invitation file is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationFileError {
    /// The genesis and the invitation do not belong together.
    #[error(
        "the invitation is for federation {invited}, but the file has the genesis of {present}: ask for a new file"
    )]
    OtherFederation {
        /// What the invitation names.
        invited: icn_model::Cid,
        /// What the file has.
        present: icn_model::Cid,
    },
    /// No federation can begin so.
    #[error("the genesis in the invitation file is unusable")]
    Genesis(#[from] GenesisError),
    /// The invitation is not by the key that it names.
    #[error("the invitation was altered, or is not signed by the key that it names: ask for a new file")]
    Signature(#[from] SignatureError),
}

impl InvitationFile {
    /// Checks that the parts belong together. Whether the inviter may invite is the log's knowledge.
    ///
    /// # Errors
    /// [`InvitationFileError`] names the part that does not hold.
    pub fn check(&self) -> Result<(), InvitationFileError> {
        let present = self.genesis.id();
        let invited = self.invitation.content.federation;
        if invited != present || self.invitation.content.log != self.genesis.log() {
            return Err(InvitationFileError::OtherFederation { invited, present });
        }
        self.genesis.check()?;
        self.invitation.verify()?;
        Ok(())
    }
}

/// How a federation goes on of which seats were lost for good: what its survivors pass round until all have signed it. JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryFile {
    /// How the log that is to be followed begins.
    pub genesis: Genesis,
    /// What officers of the survivors have signed so far.
    pub endorsements: Vec<Signed<Endorsement>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{
        Checkpoint, Cid, Founder, Height, Name, PROTOCOL_VERSION, Parameters, RoleKeys, SeatKind, SecretKey,
        Time,
    };

    fn file() -> InvitationFile {
        let key = SecretKey::from_seed(&[1; 32]);
        let did = Did::new(key.public());
        let name = |text: &str| text.parse::<Name>().unwrap();
        let genesis = Genesis {
            name: name("valley"),
            created: Time::new(1),
            protocol: PROTOCOL_VERSION,
            parameters: Parameters::devnet(),
            founders: vec![Founder {
                did,
                name: name("bakery"),
                keys: RoleKeys::single(key.public()),
            }],
            predecessor: None,
        };
        let invitation = Invitation {
            federation: genesis.id(),
            log: genesis.log(),
            kind: SeatKind::Cooperative,
            inviter: did,
            key: key.public(),
            nonce: 1,
            expires: Time::new(2),
            checkpoint: Checkpoint {
                height: Height::new(1),
                block: Cid::of_raw(b"block"),
            },
            addresses: vec!["/ip4/127.0.0.1/tcp/7000".into()],
        };
        InvitationFile {
            genesis,
            invitation: Signed::new(invitation, &key),
        }
    }

    #[test]
    fn a_good_file_survives_json() {
        let file = file();
        let json = serde_json::to_string(&file).unwrap();
        let back: InvitationFile = serde_json::from_str(&json).unwrap();
        assert_eq!(back, file);
        assert_eq!(back.check(), Ok(()));
    }

    #[test]
    fn altered_files_are_refused() {
        let mut altered = file();
        altered.genesis.created = Time::new(9);
        assert!(matches!(
            altered.check(),
            Err(InvitationFileError::OtherFederation { .. })
        ));
        let mut altered = file();
        altered.invitation.content.expires = Time::new(9);
        assert!(matches!(altered.check(), Err(InvitationFileError::Signature(_))));
    }
}
