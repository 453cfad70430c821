//! What a kill takes: the runtime forgets what a task had written to a blob and not synced.
use commonware_runtime::{
    Blob as _, Clock as _, ReadOptions, Runner as _, Spawner as _, Storage as _, Supervisor as _,
    WriteOptions, deterministic,
};
use std::time::Duration;

#[test]
fn a_killed_task_loses_what_it_had_not_synced() {
    deterministic::Runner::seeded(1).start(|context| async move {
        let task = context.child("writer").spawn(|context| async move {
            let (blob, _) = context.open("journal", b"votes").await.unwrap();
            blob.write_at(0, b"synced".to_vec(), WriteOptions::SYNC)
                .await
                .unwrap();
            blob.write_at(6, b"not synced".to_vec(), WriteOptions::default())
                .await
                .unwrap();
            context.sleep(Duration::from_secs(3_600)).await;
        });
        context.sleep(Duration::from_secs(1)).await;
        task.abort();
        let _ = task.await;
        let (blob, len) = context.open("journal", b"votes").await.unwrap();
        assert_eq!(len, 6, "another life of the node sees what was synced");
        let read = blob.read_at(0, 6, ReadOptions::default()).await.unwrap();
        assert_eq!(read.coalesce().as_ref(), b"synced");
    });
}
