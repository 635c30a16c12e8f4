//! What a replica shows the API server: the token of the account of its release.

use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};

use super::story::Story;
use super::text;

impl Story {
    /// A token of the operator's account; with a Secret's name, one that is void when that is gone.
    pub(super) async fn token(&self, secret: Option<&str>) -> String {
        let uri = format!("/api/v1/namespaces/{}/serviceaccounts/punctual/token", self.namespace);
        let mut spec = json!({"expirationSeconds": 86_400});
        if let Some(name) = secret {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
            let uid = self.apply(&secret.to_string()).await["metadata"]["uid"].take();
            spec["boundObjectRef"] = json!({"apiVersion": "v1", "kind": "Secret", "name": name, "uid": uid});
        }
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
        // An API server that has just started may need a moment.
        let ask = async || self.send(Method::POST, &uri, "application/json", &request.to_string()).await.ok();
        let answer = self.until("the account gets a token", ask).await;
        text(&answer, "/status/token").to_owned()
    }

    /// A file with a token that is void when a Secret of this name is gone.
    pub async fn token_file(&self, secret: &str) -> PathBuf {
        let file = self.cluster.dir.join(format!("{}.token", self.namespace));
        self.renew_token(&file, secret).await;
        file
    }

    /// Puts another token into such a file.
    pub async fn renew_token(&self, file: &Path, secret: &str) {
        std::fs::write(file, self.token(Some(secret)).await).unwrap();
    }

    /// How a replica finds the API server, and who it is there.
    pub(super) fn kubeconfig(&self, server: &str, user: Value) -> String {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": server, "certificate-authority-data": self.cluster.authority}}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": self.namespace}}],
        });
        config.to_string()
    }
}
