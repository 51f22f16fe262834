//! `MaxResults` and `NextToken`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ApiError;
use super::params::Params;

/// The least and the most items that a describe's page may hold.
#[derive(Debug)]
pub struct Bounds {
    pub least: usize,
    pub most: usize,
}

/// Most describes.
pub const USUAL: Bounds = Bounds { least: 5, most: 1000 };
pub const SMALL: Bounds = Bounds { least: 5, most: 100 };
/// `DescribeVpcEndpoints` takes more than 1,000 and answers with 1,000, which is more than a mock has.
pub const GENEROUS: Bounds = Bounds { least: 5, most: usize::MAX };

/// The size of a page that the world's options give, where nobody asked for one: AWS may give pages as
/// small as it likes. No client can send it.
pub const OWN_SIZE: &str = "_own-page-size";

/// One page, and the token of the next. Without `MaxResults` everything is one page; ids and
/// `MaxResults` do not go together.
pub fn take_page<'a, T>(
    params: &Params,
    bounds: &Bounds,
    ids_parameter: Option<&str>,
    mut items: Vec<&'a T>,
) -> Result<(Vec<&'a T>, Option<String>), ApiError> {
    let size: Option<usize> = params.number("MaxResults")?;
    if let Some(ids) = ids_parameter
        && size.is_some()
        && !params.list(ids).is_empty()
    {
        return Err(ApiError::invalid_combination(format!(
            "The parameter {ids} cannot be used with the parameter MaxResults"
        )));
    }
    let start = params.text("NextToken").map(read).transpose()?.unwrap_or(0);
    if start > items.len() {
        return Err(unknown_token());
    }
    let mut page = items.split_off(start);
    let own_size: Option<usize> = params.number(OWN_SIZE)?;
    let size = match (size, own_size) {
        (None, None) => return Ok((page, None)),
        (None, Some(own)) => own,
        (Some(size), own) => {
            check(size, bounds)?;
            own.map_or(size, |own| own.min(size))
        }
    };
    let rest = page.len() > size;
    page.truncate(size);
    Ok((page, rest.then(|| write(start + size))))
}

fn check(size: usize, bounds: &Bounds) -> Result<(), ApiError> {
    let expecting = if size < bounds.least {
        format!("greater than {}", bounds.least)
    } else if size > bounds.most {
        format!("less than {}", bounds.most)
    } else {
        return Ok(());
    };
    Err(ApiError::invalid_value(format!(
        "Value ( {size} ) for parameter maxResults is invalid. Expecting a value {expecting}."
    )))
}

fn write(start: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("page-from-{start}"))
}

fn read(token: &str) -> Result<usize, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| unknown_token())?;
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_prefix("page-from-")?.parse().ok())
        .ok_or_else(unknown_token)
}

fn unknown_token() -> ApiError {
    ApiError::bad("InvalidNextToken", "The specified nextToken is not valid.")
}
