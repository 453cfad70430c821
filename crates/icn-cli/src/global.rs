//! What holds for every command: where the node is, as whom to act, how to answer.
use clap::Args;
use std::path::PathBuf;

/// What holds for every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The node's HTTP interface, such as http://127.0.0.1:7845
    #[arg(long, global = true, env = "ICN_API_URL", value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// The key that the node takes
    #[arg(
        long,
        global = true,
        env = "ICN_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub(crate) api_key: Option<String>,
    /// Certificates (PEM) of whoever signs the node's own, for https:// with an authority of one's own
    #[arg(long, global = true, env = "ICN_CA_CERT", value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// The profile to use instead of the default ones
    #[arg(
        long,
        global = true,
        env = "ICN_PROFILE",
        visible_alias = "config",
        value_name = "FILE"
    )]
    pub(crate) profile: Option<PathBuf>,
    /// The key to sign with: a file, or @NAME of the keystore
    #[arg(long = "key", global = true, env = "ICN_KEY", value_name = "FILE")]
    pub(crate) key_path: Option<PathBuf>,
    /// For whom to act, if not for the identity that begins with the key
    #[arg(long, global = true, env = "ICN_DID", value_name = "DID")]
    pub(crate) author: Option<icn_model::Did>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print data and errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}
