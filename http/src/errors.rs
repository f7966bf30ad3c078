//! `/errors/{code}`: what every problem's `type` points at. At the root only.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderValue},
    },
    web::Path,
};

use crate::{
    answer::{self, Cached},
    problem::{Code, Problem},
    query::Params,
};

/// `GET /errors/{code}`: the page of a code, as it stands in `docs/errors`. Markdown, because programs read it as often as people do.
pub(crate) async fn page(req: HttpRequest, code: Path<String>) -> Result<HttpResponse, Problem> {
    let found = Code::ALL.iter().find(|known| known.name() == *code);
    let code = found.ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    Params::of(&req).finish()?;
    let mut response = answer::seen_bytes(&req, 1, Cached::Checked, code.page().into());
    if response.status() == StatusCode::OK {
        let markdown = HeaderValue::from_static("text/markdown; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, markdown);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_code_has_its_page_and_every_page_its_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
        let files = fs::read_dir(folder).unwrap();
        let pages: BTreeSet<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let codes: BTreeSet<String> =
            Code::ALL.iter().map(|code| format!("{}.md", code.name())).collect();
        assert_eq!(pages, codes);
        assert_eq!(codes.len(), Code::ALL.len(), "no name twice");
    }

    #[test]
    fn the_example_of_a_page_is_a_problem_with_its_code() {
        for code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {}\n", code.name())), "{page}");
            assert!(page.contains("## What to do"), "{page}");
            let example = page.split("```json").nth(1).and_then(|rest| rest.split("```").next());
            let example: Value = serde_json::from_str(example.unwrap()).unwrap();
            let status = StatusCode::from_u16(example["status"].as_u64().unwrap() as u16).unwrap();
            assert!(page.contains(&format!("Status {}.", status.as_u16())), "{page}");
            let detail = example["detail"].as_str().unwrap().to_owned();
            let made = serde_json::to_value(Problem::new(status, *code, detail)).unwrap();
            for field in ["type", "title", "status", "code"] {
                assert_eq!(example[field], made[field], "{page}");
            }
        }
    }
}
