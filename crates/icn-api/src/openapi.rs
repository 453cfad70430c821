//! The OpenAPI 3.1 document, made from the table of routes. Only a test and the tool that regenerates the
//! checked-in copy need this; a node serves the copy.
use crate::{
    Answer, Body, ENDPOINTS, EVENT_STREAM, Endpoint, ErrorKind, Method, OCTETS, PROBLEM_JSON, Problem, Scope,
    Tag, Type, endpoint::Schemas, paths,
};
use std::collections::BTreeMap;
use utoipa::{
    ToSchema as _,
    openapi::{
        Components, ComponentsBuilder, Content, ContentBuilder, Info, InfoBuilder, License, OpenApi,
        OpenApiBuilder, Paths, PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
        path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem},
        request_body::{RequestBody, RequestBodyBuilder},
        schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type as JsonType},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
        tag::{Tag as DocumentTag, TagBuilder},
    },
};

const DESCRIPTION: &str = "The HTTP interface of a node of a federation of cooperatives.\n\n\
    An API key, sent as `x-api-key` or `Authorization: Bearer`, grants access to a node and nothing more: \
    whatever acts for an account is an operation that the account's holder signed. Operations and blocks are \
    named by their hashes, so every request may be repeated without harm.\n\n\
    Amounts of mana are integers in thousandths; times are integers in milliseconds since 1970 (UTC). Errors \
    are problem details (RFC 9457) with a stable code and a remedy. Every answer carries `x-correlation-id`. \
    Clients ignore fields that they do not know; nodes refuse parameters and fields that they do not know.";

/// The document.
pub fn openapi() -> OpenApi {
    OpenApiBuilder::new()
        .info(info())
        .tags(Some(Tag::ALL.map(tag)))
        .paths(all_paths())
        .components(Some(components()))
        .build()
}

fn info() -> Info {
    InfoBuilder::new()
        .title("ICN node")
        .version("1")
        .description(Some(DESCRIPTION))
        .license(Some(License::new("Apache-2.0")))
        .build()
}

fn tag((tag, description): (Tag, &str)) -> DocumentTag {
    TagBuilder::new()
        .name(tag.name())
        .description(Some(description))
        .build()
}

fn all_paths() -> Paths {
    let mut items = BTreeMap::<&str, PathItem>::new();
    for endpoint in ENDPOINTS {
        let method = match endpoint.method {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Patch => HttpMethod::Patch,
            Method::Delete => HttpMethod::Delete,
        };
        let item = PathItem::new(method, operation(endpoint));
        match items.get_mut(endpoint.path) {
            Some(there) => there.merge_operations(item),
            None => {
                items.insert(endpoint.path, item);
            }
        }
    }
    items
        .into_iter()
        .fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item))
        .build()
}

fn operation(endpoint: &Endpoint) -> utoipa::openapi::path::Operation {
    let mut builder = OperationBuilder::new()
        .operation_id(Some(endpoint.id))
        .tag(endpoint.tag.name())
        .summary(Some(endpoint.summary))
        .request_body(
            endpoint
                .request
                .map(|body| request(body, endpoint.max_request_bytes)),
        );
    if !endpoint.details.is_empty() {
        builder = builder.description(Some(endpoint.details));
    }
    if let Some(name) = paths::parameter(endpoint.path) {
        builder = builder.parameter(path_parameter(name));
    }
    for parameter in endpoint
        .query
        .map(|query| (query.parameters)())
        .into_iter()
        .flatten()
    {
        builder = builder.parameter(parameter);
    }
    for answer in endpoint.answers {
        builder = builder.response(answer.status.to_string(), response(answer));
    }
    for (status, response) in problems(endpoint) {
        builder = builder.response(status.to_string(), response);
    }
    if endpoint.scope > Scope::Open {
        let scopes = [endpoint.scope.name()];
        builder = builder
            .security(SecurityRequirement::new("api_key", scopes))
            .security(SecurityRequirement::new("bearer", scopes));
    }
    builder.build()
}

fn path_parameter(name: &str) -> Parameter {
    let (kind, description) = match name {
        "height" => (JsonType::Integer, "A height of the log; genesis is 0"),
        "cid" => (
            JsonType::String,
            "A content id: CIDv1, SHA-256, raw or DAG-CBOR, in base32",
        ),
        "name" => (JsonType::String, "What the key is called"),
        "did" => (JsonType::String, "An identity: did:key:z6Mk…"),
        _ => (JsonType::String, "An id, as the node gave it"),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .build()
}

fn octets() -> Content {
    let bytes = ObjectBuilder::new()
        .schema_type(JsonType::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .build();
    Content::new(Some(bytes))
}

fn reference(of: Type) -> Content {
    Content::new(Some(Ref::from_schema_name((of.name)())))
}

fn contents(body: Body) -> Vec<(&'static str, Content)> {
    match body {
        Body::Json(of) => vec![("application/json", reference(of))],
        Body::JsonOrEvents(of, event) => {
            // OpenAPI 3.1 has no word for the items of a stream, so the text says what they are.
            let lines = format!(
                "The `data` of each event is a #/components/schemas/{}",
                (event.name)()
            );
            let text = ObjectBuilder::new()
                .schema_type(JsonType::String)
                .description(Some(lines));
            let stream = ContentBuilder::new().schema(Some(text)).build();
            vec![("application/json", reference(of)), (EVENT_STREAM, stream)]
        }
        Body::Octets => vec![(OCTETS, octets())],
        Body::Problem => vec![(PROBLEM_JSON, reference(Type::of::<Problem>()))],
        Body::Text(media) => {
            let text = ObjectBuilder::new().schema_type(JsonType::String).build();
            vec![(media, Content::new(Some(text)))]
        }
    }
}

fn request(body: Body, max_bytes: usize) -> RequestBody {
    let builder = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .description(Some(format!("At most {max_bytes} bytes.")));
    contents(body)
        .into_iter()
        .fold(builder, |builder, (media, content)| {
            builder.content(media, content)
        })
        .build()
}

fn response(answer: &Answer) -> Response {
    let builder = ResponseBuilder::new().description(answer.meaning);
    contents(answer.body)
        .into_iter()
        .fold(builder, |builder, (media, content)| {
            builder.content(media, content)
        })
        .build()
}

/// The answers to failures, one for each status, which lists the codes that come with it.
fn problems(endpoint: &Endpoint) -> BTreeMap<u16, Response> {
    let mut by_status = BTreeMap::<u16, Vec<ErrorKind>>::new();
    for kind in endpoint.errors.iter().chain(ErrorKind::COMMON) {
        by_status.entry(kind.status()).or_default().push(*kind);
    }
    // /ready answers 503 with its checks, not with a problem.
    by_status.retain(|status, _| endpoint.answers.iter().all(|answer| answer.status != *status));
    by_status
        .into_iter()
        .map(|(status, kinds)| (status, problem(kinds)))
        .collect()
}

fn problem(mut kinds: Vec<ErrorKind>) -> Response {
    kinds.sort_unstable();
    let codes: Vec<_> = kinds.iter().map(|kind| kind.code()).collect();
    let lines: Vec<_> = codes
        .iter()
        .map(|code| format!("{} {}: {}", code.number, code.name, code.meaning))
        .collect();
    let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
    ResponseBuilder::new()
        .description(lines.join("\n"))
        .content(PROBLEM_JSON, content)
        .build()
}

fn components() -> Components {
    let mut schemas = Schemas::new();
    let mut add = |of: Type| {
        schemas.push(((of.name)().into_owned(), (of.schema)()));
        (of.referenced)(&mut schemas);
    };
    add(Type::of::<Problem>());
    for endpoint in ENDPOINTS {
        let bodies = endpoint
            .answers
            .iter()
            .map(|answer| answer.body)
            .chain(endpoint.request);
        for body in bodies {
            match body {
                Body::Json(of) => add(of),
                Body::JsonOrEvents(of, event) => {
                    add(of);
                    add(event);
                }
                Body::Octets | Body::Text(_) | Body::Problem => {}
            }
        }
    }
    // What only parameters of queries name.
    add(Type::of::<icn_model::EventKind>());
    add(Type::of::<icn_model::ProposalStatus>());
    add(Type::of::<crate::dag::BlockCodec>());
    let schemas: BTreeMap<String, RefOr<Schema>> = schemas.into_iter().collect();
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(
            "api_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(crate::API_KEY_HEADER))),
        )
        .security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .build()
}
