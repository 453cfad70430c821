//! The document that is checked in is the one that the handlers make.
use std::path::Path;

#[test]
fn the_document_is_made_from_the_handlers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/federation-openapi.json");
    let made = icn_federation::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == made,
        "UPDATE=1 cargo test -p icn-federation --test service openapi writes it anew"
    );
}
