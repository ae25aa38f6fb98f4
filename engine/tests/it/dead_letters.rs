//! Work that was given up.

use domain::{dead_letter::Resolution, ids::ImportId, operator::Role, page::PageRequest};
use engine::{Doorbell, Error, both, dead_letters, testing::TestEnv};
use serde_json::json;

both! {
    async fn each_is_decided_on_once(env: TestEnv) {
        let import: ImportId = env.engine.clock.new_id();
        let subject = format!("import:{import}");
        let tx = env.engine.db.begin().await.unwrap();
        let mut ids = Vec::new();
        for n in 0..3 {
            let payload = json!({ "n": n });
            ids.push(dead_letters::put(&env.engine, &tx, "import", &subject, "it broke", payload).await.unwrap());
        }
        tx.commit().await.unwrap();
        let page = PageRequest { after: None, limit: 2 };
        let first = dead_letters::list(&env.engine, &env.admin, None, &page).await.unwrap();
        assert_eq!(first.rows.iter().map(|letter| letter.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
        assert_eq!(first.rows[0].payload, json!({ "n": 2 }));
        let rest = dead_letters::list(&env.engine, &env.admin, None, &PageRequest::after(first.next)).await.unwrap();
        assert_eq!(rest.rows.iter().map(|letter| letter.id).collect::<Vec<_>>(), [ids[0]]);

        let of = async |kind| dead_letters::list(&env.engine, &env.admin, Some(kind), &page).await.unwrap().rows.len();
        assert_eq!((of("import").await, of("deliver").await), (2, 0));

        let resolve = async |id, resolution| dead_letters::resolve(&env.engine, &env.admin, id, resolution).await;
        let letter = resolve(ids[0], Resolution::Redriven).await.unwrap();
        assert_eq!(letter.resolution, Some(Resolution::Redriven));
        assert_eq!(env.take_jobs(), [Doorbell::Import(import)]);
        resolve(ids[1], Resolution::Discarded).await.unwrap();
        assert_eq!(env.take_jobs(), []);
        assert!(matches!(resolve(ids[1], Resolution::Redriven).await, Err(Error::Conflict { .. })));
        assert!(matches!(resolve(env.engine.clock.new_id(), Resolution::Discarded).await, Err(Error::NotFound { .. })));
        let viewer = env.operator(Role::Viewer);
        let refused = dead_letters::resolve(&env.engine, &viewer, ids[2], Resolution::Discarded).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
        let left = dead_letters::list(&env.engine, &viewer, None, &PageRequest::default()).await.unwrap();
        assert_eq!(left.rows.iter().map(|letter| letter.id).collect::<Vec<_>>(), [ids[2]]);
    }
}
