//! Pages that are full, although items were taken out of them: the backend is asked for
//! further pages until there are enough.

use std::sync::Arc;
use std::time::Duration;

use pingora::proxy::Session;

use super::token::Page;
use super::{Captured, PageTokens, fail, unreadable};
use crate::policy::json_text::{Listing, Unreadable, id, set_text, values_at};
use crate::policy::{
    BodyValue, Denial, FilterRule, Keys, Malformed, PageRule, Pointer, Route, Source, Tree,
};
use crate::proxy::exchange::Exchange;
use crate::proxy::gateway::Gateway;
use crate::proxy::rescue::Failure;

/// Requests to the backend for one page of a client.
const MOST_REQUESTS: usize = 50;
/// No further request is made for one page after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// The page that a client asks for.
pub(in crate::proxy) struct Wanted {
    size: usize,
    page: Page,
}

/// A page that is being filled.
struct Filling<'r> {
    rule: &'r FilterRule,
    next: &'r Pointer,
    size: usize,
    items: Vec<String>,
    /// Whether there is a visible item beyond the page.
    is_cut: bool,
    /// The answer that the items are put into: the last that has a list.
    frame: Option<Captured>,
}

impl Exchange {
    /// Reads which page is wanted, and asks the backend for the one it begins in.
    pub(in crate::proxy) fn begin_page(&mut self, tokens: &PageTokens) -> Result<(), Denial> {
        let Some(route) = self.route() else {
            return Ok(());
        };
        let Some(pages) = &route.objects.pages else {
            return Ok(());
        };
        let keys = route.objects.keys;
        let size = match self.text_at(&pages.size, keys)? {
            Some(size) => size.parse().map_err(|_| Malformed::BodyShape)?,
            None => 0,
        };
        let default = usize::try_from(pages.default).unwrap_or(usize::MAX);
        let size = if size == 0 { default } else { size };
        let token = self.text_at(&pages.token, keys)?;
        let page = match token.filter(|token| !token.is_empty()) {
            Some(token) => tokens
                .open(&self.token_context(&route), &token)
                .ok_or(Malformed::PageToken)?,
            None => Page::default(),
        };
        self.ask_for_most(pages, keys, size)?;
        self.ask_for(pages, keys, &page)?;
        self.wanted = Some(Wanted { size, page });
        Ok(())
    }

    /// What a token is bound to.
    fn token_context(&self, route: &Route) -> Vec<u8> {
        let subject = self.facts().and_then(|facts| facts.subject.as_ref());
        let principal = subject.map(|subject| subject.principal.id.to_string());
        format!(
            "{}\n{}\n{}",
            route.upstream,
            route.label,
            principal.unwrap_or_default()
        )
        .into_bytes()
    }

    fn text_at(&self, place: &Source, keys: Keys) -> Result<Option<String>, Malformed> {
        match (place, &self.request, &self.learnt.body) {
            (Source::Query(name), Some(request), _) => {
                let mut values = request.query().all(name, keys);
                let value = values.next().map(std::borrow::Cow::into_owned);
                match values.next() {
                    Some(_) => Err(Malformed::RepeatedParameter),
                    None => Ok(value),
                }
            }
            (Source::Body(pointer), _, Some(body)) => match body.find(pointer)?.as_slice() {
                [] | [None] => Ok(None),
                [Some(BodyValue::Text(text) | BodyValue::Number(text))] => {
                    Ok(Some((*text).to_owned()))
                }
                _ => Err(Malformed::BodyShape),
            },
            _ => Ok(None),
        }
    }

    /// Writes the backend's largest page into the request: how long an answer takes, and how
    /// many requests it needs, is then hardly a matter of what the caller may not see. More than
    /// the backend gives is for the backend to refuse.
    fn ask_for_most(&mut self, pages: &PageRule, keys: Keys, size: usize) -> Result<(), Malformed> {
        let most = pages.most.filter(|most| size <= *most as usize);
        match (most, &pages.size, &mut self.request, &mut self.learnt.body) {
            (None, ..) => {}
            (Some(most), Source::Query(name), Some(request), _) => {
                request.set_query(name, keys, &most.to_string());
            }
            (Some(most), Source::Body(pointer), _, Some(body)) => {
                body.set(pointer, Tree::Number(most.to_string().into()))?;
                self.forwarded.body = Some(body.forwarded());
            }
            _ => return Err(Malformed::BodyShape),
        }
        Ok(())
    }

    /// Writes the backend's token into the request.
    fn ask_for(&mut self, pages: &PageRule, keys: Keys, page: &Page) -> Result<(), Malformed> {
        match (&pages.token, &mut self.request, &mut self.learnt.body) {
            (Source::Query(name), Some(request), _) => match &page.token {
                Some(token) => {
                    let token = id(token).map_err(|Unreadable| Malformed::PageToken)?;
                    request.set_query(name, keys, &token);
                }
                None => request.remove_query(name, keys),
            },
            (Source::Body(pointer), _, Some(body)) => {
                let asked = body.find(pointer)?;
                match &page.token {
                    Some(token) => {
                        body.set(pointer, Tree::parse(token.as_bytes(), Keys::Exact)?)?;
                    }
                    None if asked.iter().any(Option::is_some) => body.set(pointer, Tree::Null)?,
                    None => {}
                }
                self.forwarded.body = Some(body.forwarded());
            }
            _ => return Err(Malformed::PageToken),
        }
        Ok(())
    }
}

impl Gateway {
    /// A full page, or what there is of it. One that is full is followed until another item is
    /// found that the caller may see: only that is announced by a token.
    pub(super) async fn full_page(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        route: &Arc<Route>,
        pages: &PageRule,
    ) -> pingora::Result<Captured> {
        let wanted = exchange.wanted.take();
        let (Some(Wanted { size, page }), [rule]) = (wanted, route.objects.filters.as_slice())
        else {
            return Err(fail(exchange, Failure::Internal));
        };
        let mut next = Some(page);
        let mut filling = Filling {
            rule,
            next: &pages.next,
            size,
            items: Vec::new(),
            is_cut: false,
            frame: None,
        };
        let begun = self.clock.instant();
        for _ in 0..MOST_REQUESTS {
            let Some(page) = next.take() else {
                break;
            };
            let mut answer = self.call(session, exchange).await?;
            let status = answer.head.status;
            if !status.is_success() || exchange.has_no_answer_body(status) {
                return Ok(answer);
            }
            answer.decode(exchange)?;
            next = self
                .fill(exchange, route, &mut filling, answer, page)
                .await?;
            let spent = self.clock.instant().duration_since(begun);
            if filling.is_cut || spent >= PATIENCE {
                break;
            }
            if let Some(page) = &next {
                let asked = exchange.ask_for(pages, route.objects.keys, page);
                asked.map_err(|_| fail(exchange, Failure::UpstreamBroken))?;
            }
        }
        self.finish(exchange, route, filling, next)
    }

    /// Takes what may be seen out of an answer to this page; says where the next begins.
    async fn fill(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        filling: &mut Filling<'_>,
        answer: Captured,
        page: Page,
    ) -> pingora::Result<Option<Page>> {
        let text = answer.text(exchange)?;
        let listing = Listing::read(text, filling.rule).map_err(unreadable(exchange))?;
        let visible = self
            .visible(exchange, route, filling.rule, &listing)
            .await?;
        let mut consumed = 0;
        for (item, visible) in listing.texts().zip(visible) {
            if consumed >= page.consumed && visible {
                if filling.items.len() == filling.size {
                    filling.is_cut = true;
                    break;
                }
                filling.items.push(item.to_owned());
            }
            consumed += 1;
        }
        let next = if filling.is_cut {
            let token = page.token;
            Some(Page { token, consumed })
        } else {
            let token = next_token(text, filling.next).map_err(unreadable(exchange))?;
            token.map(|token| Page {
                token: Some(token),
                consumed: 0,
            })
        };
        if listing.has_list() || filling.frame.is_none() {
            filling.frame = Some(answer);
        }
        Ok(next)
    }

    /// One answer that holds all items, and names the next page by a token of ours.
    fn finish(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        filling: Filling<'_>,
        next: Option<Page>,
    ) -> pingora::Result<Captured> {
        let Some(mut answer) = filling.frame else {
            return Err(fail(exchange, Failure::Internal));
        };
        let context = exchange.token_context(route);
        let token = next.map(|page| self.page_tokens.seal(&context, &page));
        if matches!(token, Some(None)) {
            return Err(fail(exchange, Failure::Internal));
        }
        let token = token.flatten();
        let text = answer.text(exchange)?;
        let items: Vec<&str> = filling.items.iter().map(String::as_str).collect();
        let body = Listing::read(text, filling.rule)
            .and_then(|listing| listing.with(&items))
            .and_then(|text| set_text(&text, filling.next, token.as_deref()));
        answer.body = body.map_err(unreadable(exchange))?.into();
        answer.has_items = !items.is_empty();
        exchange.status = Some(answer.head.status);
        Ok(answer)
    }
}

/// The backend's token of its next page, as JSON.
fn next_token(text: &str, next: &Pointer) -> Result<Option<String>, Unreadable> {
    match values_at(text, next)?.as_slice() {
        [] | ["null" | "\"\""] => Ok(None),
        [token] => id(token).map(|_| Some((*token).to_owned())),
        _ => Err(Unreadable),
    }
}
