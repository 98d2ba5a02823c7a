//! Programs with tokens: what each may read and do, and how it is told what it lacks.

use domain::time::{HOUR, Instant, Interval};
use domain::why::Why;
use service::token::{Scope, Token, fresh};
use tests::flights::{NOW, since};

use crate::seed::{INCIDENT, at, seeded};
use crate::served::{Answer, Served, answer, serve, serve_to};

struct Known {
    secret: service::Secret,
    token: Token,
}

fn known(name: &str, scopes: &[Scope], models: &[&str]) -> Known {
    let (secret, hash) = fresh();
    let models = models.iter().map(|model| (*model).to_owned()).collect();
    let token = Token { name: name.to_owned(), hash, scopes: scopes.to_vec(), models, ..Token::default() };
    Known { secret, token }
}

async fn get(served: &Served, path: &str, who: Option<&Known>) -> Answer {
    let request = served.client.get(format!("http://{}{path}", served.address));
    let request = request.header("accept", "application/json");
    answer(match who {
        Some(who) => request.bearer_auth(who.secret.expose()),
        None => request,
    })
    .await
}

async fn act(served: &Served, who: Option<&Known>, id: &str) -> Answer {
    let url = format!("http://{}/v1/incidents/{INCIDENT}/actions", served.address);
    let body = format!("{{\"kind\":\"acknowledge\",\"id\":\"{id}\"}}");
    let request = served.client.post(url).header("content-type", "application/json").body(body);
    answer(match who {
        Some(who) => request.bearer_auth(who.secret.expose()),
        None => request,
    })
    .await
}

fn why() -> Why {
    Why {
        incident: INCIDENT.to_owned(),
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        baseline: "initial".to_owned(),
        since: since(),
        window: Interval::ending_at(at(NOW), HOUR),
        events: 1_440,
        computed_at: at(NOW),
        sentence: "wind_speed moved first".to_owned(),
        link: String::new(),
        measure: None,
        signals: Vec::new(),
        segments: Vec::new(),
        changes: Vec::new(),
        examples: Vec::new(),
    }
}

#[tokio::test]
async fn each_token_reads_or_acts_as_its_scopes_say_and_is_told_what_it_lacks() {
    let store = seeded().await;
    store.write_causes(&why()).await.expect("causes");
    let reader = known("reader", &[Scope::Read], &[]);
    let actor = known("airflow", &[Scope::Act], &[]);
    let chief = known("chief", &[Scope::Admin], &[]);
    let stranger = known("stranger", &[Scope::Admin], &[]);
    let tokens = [&reader, &actor, &chief].map(|known| known.token.clone()).to_vec();
    let hash = dashboards::auth::hash("correct horse").expect("a hash");
    let served = serve_to(&store, &[("ada", &hash)], tokens).await;
    let causes = format!("/v1/incidents/{INCIDENT}/causes");

    let read = get(&served, &causes, Some(&reader)).await;
    assert!(read.status == 200 && read.body.contains("wind_speed moved first"), "{}", read.body);
    assert_eq!(get(&served, "/incidents?format=json", Some(&reader)).await.status, 200);
    let refused = act(&served, Some(&reader), "a").await;
    assert!(refused.status == 403 && refused.body.contains("do not allow act"), "{}", refused.body);

    assert_eq!(act(&served, Some(&actor), "b").await.status, 202);
    let refused = get(&served, &causes, Some(&actor)).await;
    assert!(refused.status == 403 && refused.body.contains("do not allow read"), "{}", refused.body);
    assert_eq!(get(&served, &causes, Some(&chief)).await.status, 200);
    assert_eq!(act(&served, Some(&chief), "c").await.status, 202);

    for (unknown, reason) in [(Some(&stranger), "not known"), (None, "log in first")] {
        for refused in [get(&served, &causes, unknown).await, act(&served, unknown, "d").await] {
            assert!(refused.status == 401 && refused.body.contains(reason), "{}", refused.body);
        }
    }
    assert!(get(&served, &causes, Some(&stranger)).await.headers.contains_key("www-authenticate"));
    // A token writes no forms, as a person does.
    let form = served.client.post(format!("http://{}/incidents/{INCIDENT}/actions", served.address));
    let form =
        form.bearer_auth(actor.secret.expose()).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(answer(form.body("kind=acknowledge&csrf=")).await.status, 403);

    let actions = store.actions_after(Instant::EPOCH).await.expect("actions");
    let mut actors: Vec<&str> = actions.iter().map(|action| action.actor.as_str()).collect();
    actors.sort_unstable();
    assert_eq!(actors, ["airflow", "chief"]);
}

#[tokio::test]
async fn a_token_for_some_models_reaches_no_other() {
    let store = seeded().await;
    store.write_causes(&why()).await.expect("causes");
    let own = known("own", &[Scope::Read, Scope::Act], &["flights"]);
    let other = known("other", &[Scope::Read, Scope::Act], &["car-loan"]);
    let served = serve_to(&store, &[], [&own, &other].map(|known| known.token.clone()).to_vec()).await;
    let causes = format!("/v1/incidents/{INCIDENT}/causes");
    assert_eq!(get(&served, &causes, Some(&own)).await.status, 200);
    assert_eq!(get(&served, "/models/flights/production?format=json", Some(&own)).await.status, 200);
    assert_eq!(act(&served, Some(&own), "a").await.status, 202);
    for refused in [
        get(&served, &causes, Some(&other)).await,
        act(&served, Some(&other), "b").await,
        get(&served, "/models/flights/production?format=json", Some(&other)).await,
        get(&served, "/incidents?format=json", Some(&other)).await,
        get(&served, "/", Some(&own)).await,
    ] {
        assert_eq!(refused.status, 403, "{}", refused.body);
        assert!(!refused.body.contains("wind_speed"), "{}", refused.body);
    }
    assert_eq!(store.actions_after(Instant::EPOCH).await.expect("actions").len(), 1);
    // Nobody logs in here: pages are for this machine, and the API for those who are known.
    assert_eq!(get(&served, "/incidents", None).await.status, 200);
    assert_eq!(get(&served, &causes, None).await.status, 401);
    assert_eq!(act(&served, None, "c").await.status, 401);
}

#[tokio::test]
async fn without_tokens_the_api_is_as_open_as_the_pages() {
    let store = seeded().await;
    store.write_causes(&why()).await.expect("causes");
    let served = serve(&store, &[]).await;
    assert_eq!(get(&served, &format!("/v1/incidents/{INCIDENT}/causes"), None).await.status, 200);
    assert_eq!(act(&served, None, "a").await.status, 202);
    let ignored = known("nobody", &[Scope::Read], &[]);
    assert_eq!(get(&served, "/incidents?format=json", Some(&ignored)).await.status, 200);
}
