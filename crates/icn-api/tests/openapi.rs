//! The checked-in OpenAPI document is the one that the table of routes makes, and holds together.
//!
//! `UPDATE=1 cargo test -p icn-api --test openapi` writes it anew.
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

fn generated() -> String {
    let mut text = serde_json::to_string_pretty(&icn_api::openapi()).expect("a document is JSON");
    text.push('\n');
    text
}

#[test]
fn the_checked_in_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openapi.json");
    let generated = generated();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let present = std::fs::read_to_string(&path).unwrap();
    assert!(
        present == generated,
        "docs/reference/openapi.json differs from the table of routes: run UPDATE=1 cargo test -p icn-api --test openapi"
    );
}

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                found.insert(reference);
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document: Value = serde_json::from_str(&generated()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(
            found.contains(format!("#/components/schemas/{name}").as_str()),
            "{name} is unused"
        );
    }
}

#[test]
fn every_route_is_described_with_its_failures() {
    let document: Value = serde_json::from_str(&generated()).unwrap();
    for endpoint in icn_api::ENDPOINTS {
        let operation = &document["paths"][endpoint.path][endpoint.method.name().to_lowercase()];
        assert_eq!(operation["operationId"], endpoint.id);
        assert_eq!(
            operation["security"].is_array(),
            endpoint.scope > icn_api::Scope::Open,
            "{}",
            endpoint.id
        );
        let failure = &operation["responses"]["500"]["content"][icn_api::PROBLEM_JSON];
        assert_eq!(
            failure["schema"]["$ref"], "#/components/schemas/Problem",
            "{}",
            endpoint.id
        );
        let in_path = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|p| p["in"] == "path");
        assert_eq!(
            in_path.count(),
            usize::from(endpoint.path.contains('{')),
            "{}",
            endpoint.path
        );
    }
}
