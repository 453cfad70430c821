//! The catalog from its file: faults at the start, changes while it runs, and who owns an entry.
use crate::world::{Setup, wait};
use serde_json::json;
use std::{fmt::Write as _, fs, time::Instant};

/// The example of the deployment guide.
pub(crate) const SEED: &str = "\
projects:
  - project_slug: commandcenter
    name: Main CommandCenter
    hub_url: http://localhost:9001
    mesh_namespace: hub.commandcenter
    tags: [primary, production]
    allow_fanout: [hub.projecta, hub.projectb]

  - project_slug: projecta
    name: Project A CommandCenter
    hub_url: http://localhost:9002
    mesh_namespace: hub.projecta
    tags: [client, staging]
    allow_fanout: []
";

#[test]
fn a_file_with_faults_stops_the_start_and_names_them_all() {
    let bad = SEED
        .replace("project_slug: projecta", "project_slug: Project_A")
        .replace("http://localhost:9001", "javascript:alert(1)");
    let said = Setup::new().with_catalog(&bad).refused();
    assert!(said.contains("projects.yaml:4: hub_url"), "{said}");
    assert!(said.contains("projects.yaml:9: project_slug"), "{said}");
}

#[test]
fn the_file_is_followed_and_what_others_registered_is_left_alone() {
    let service = Setup::new().with_catalog(SEED).start();
    wait("the file is in the catalog", || {
        service.get("/api/fed/projects").json()[1]["slug"] == "projecta"
    });
    let project = service.get("/api/fed/projects/commandcenter").json();
    assert_eq!(project["allow_fanout"], json!(["hub.projecta", "hub.projectb"]));
    assert_eq!(
        (project["owner"].as_str(), project["status"].as_str()),
        (Some("file"), Some("new"))
    );
    let targets = service.get("/api/fed/fanout?from=commandcenter").json();
    assert_eq!(targets[0]["hub_url"], "http://localhost:9002");
    assert_eq!(
        targets[1],
        json!({"slug": "projectb", "hub_url": null, "mesh_namespace": "hub.projectb", "status": null})
    );

    // What is the file's, only the file changes; it can be paused all the same.
    let taken = json!({"project_slug": "projecta", "name": "Mine", "hub_url": "http://localhost:1"});
    assert_eq!(service.send("POST", "/api/fed/projects", &taken).code(), 1305);
    assert_eq!(
        service
            .call(
                "DELETE",
                "/api/fed/projects/projecta",
                Some(crate::world::KEY),
                None
            )
            .code(),
        1305
    );
    assert_eq!(
        service
            .send("PATCH", "/api/fed/projects/projecta", &json!({"name": "x"}))
            .code(),
        1305
    );
    let paused = service.send("PATCH", "/api/fed/projects/projecta", &json!({"paused": true}));
    assert_eq!(paused.json()["status"], "paused", "{paused:?}");

    service.register("of-the-api");
    let path = service.dir.path().join("config/projects.yaml");
    fs::write(&path, "projects:\n  - project_slug: [\n").unwrap();
    service.signal("-HUP");
    wait("the fault is in the log", || {
        service.log().contains("the catalog stays as it was")
    });
    assert_eq!(
        service.get("/api/fed/projects").json().as_array().unwrap().len(),
        3
    );
    let changed = SEED.replace("Main CommandCenter", "Another name");
    let (first, _) = changed.split_once("\n\n").unwrap();
    let clash = "\n  - {project_slug: of-the-api, name: Not mine, hub_url: 'http://localhost:7'}\n";
    fs::write(&path, format!("{first}{clash}")).unwrap();
    wait("the file is followed", || {
        service.get("/api/fed/projects/commandcenter").json()["name"] == "Another name"
    });
    wait("what is no longer in it is gone", || {
        service.get("/api/fed/projects/projecta").status == 404
    });
    assert_eq!(
        service.get("/api/fed/projects/of-the-api").json()["name"],
        "of-the-api"
    );
    assert!(service.log().contains("was registered over HTTP"));
}

#[test]
fn ten_thousand_entries_are_there_within_moments() {
    let mut text = String::from("projects:\n");
    for number in 0..10_000 {
        writeln!(text, "  - {{project_slug: p-{number}, name: Project {number}, hub_url: 'http://h{number}.example.org', tags: [a]}}").unwrap();
    }
    let started = Instant::now();
    let service = Setup::new().with_catalog(&text).start();
    wait("all are there", || {
        service.metric("federation_catalog_size") >= 10_000.0
    });
    eprintln!("10000 entries after {:.2} s", started.elapsed().as_secs_f64());
    let page = service.get("/api/fed/projects?limit=1000");
    assert_eq!(page.json().as_array().unwrap().len(), 1_000);
    assert!(page.headers["link"].contains("cursor=p-"));
}
