//! `/openapi.json` and `/docs`: the document and its reader, at the root only.

use actix_web::{HttpRequest, HttpResponse};

use crate::{
    answer::{self, Cached},
    openapi::openapi,
    problem::Problem,
    query::Params,
};

/// `GET /openapi.json`: this document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "server",
    responses(
        (status = 200, description = "OpenAPI 3.1.", body = Object, content_type = "application/json"),
        (status = 304, description = "The client has it already."),
    ),
)]
pub(crate) async fn document(req: HttpRequest) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    Ok(answer::seen_bytes(&req, 1, Cached::Checked, openapi().into()))
}

/// The reader: Swagger UI, out of the binary. It loads nothing from anywhere else, and its policy lets it load nothing else.
#[cfg(feature = "docs-ui")]
pub(crate) mod ui {
    use std::sync::{Arc, LazyLock};

    use actix_web::{
        HttpRequest, HttpResponse,
        http::{
            StatusCode,
            header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION},
        },
        web::Path,
    };
    use utoipa_swagger_ui::{Config, serve};

    use crate::{problem::Problem, query::Params};

    /// Its own scripts and styles, the document, and requests to this server. It writes styles and small images into the page itself.
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                          img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                          form-action 'none'; frame-ancestors 'none'";

    /// What the page is made of; the rest of what comes with it stays where it is.
    const FILES: [&str; 8] = [
        "index.html",
        "index.css",
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-initializer.js",
        "favicon-16x16.png",
        "favicon-32x32.png",
    ];

    /// `GET /docs`.
    pub(crate) async fn page(req: HttpRequest) -> Result<HttpResponse, Problem> {
        Params::of(&req).finish()?;
        let page = (LOCATION, "/docs/index.html");
        Ok(HttpResponse::PermanentRedirect().insert_header(page).finish())
    }

    /// `GET /docs/{file}`.
    pub(crate) async fn file(
        req: HttpRequest,
        name: Path<String>,
    ) -> Result<HttpResponse, Problem> {
        // Left to itself it would ask a server of its makers whether the document is valid.
        static CONFIG: LazyLock<Arc<Config<'static>>> =
            LazyLock::new(|| Arc::new(Config::from("/openapi.json").validator_url("none")));
        let known = FILES.contains(&name.as_str());
        let found = known.then(|| serve(&name, CONFIG.clone()).ok().flatten()).flatten();
        let file = found.ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
        Params::of(&req).finish()?;
        Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, file.content_type))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .body(file.bytes.into_owned()))
    }
}
