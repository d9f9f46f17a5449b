//! Texts that people write, as HTML that is safe in a page of ours.
//!
//! Nothing that a text holds is believed: HTML in it is shown as text, pictures become links (loading one would tell a
//! stranger who reads what), links lead out only (`https`, `http`, `mailto`) and tell nothing of us, and what the
//! Markdown library makes of it goes through a sanitizer with a short list of elements. A text is bounded in length
//! before it is kept; here the depth and number of its elements are, since a short text can make many.

use std::{collections::HashSet, sync::Arc};

use ammonia::{Builder, UrlRelative};
use boxvault_types::views::boxes::{RenderedBoxView, RenderedVersionView};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html::push_html};
use quick_cache::{Weighter, sync::Cache};
use sha2::{Digest as _, Sha256};

use super::App;
use crate::error::{AppError, Result};

/// How deep elements may lie in each other; deeper ones are left out, their text is not.
const DEPTH_MAX: usize = 24;
/// The most elements and pieces of text of one rendering; what is beyond is left out.
const EVENTS_MAX: usize = 100_000;
/// What is kept of renderings, in bytes.
const CACHE_BYTES_MAX: u64 = 16 << 20;
/// How many renderings that may be.
const CACHE_ENTRIES: usize = 1_000;

/// What is left of everything that HTML has.
const ELEMENTS: &[&str] = &[
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

#[derive(Clone)]
struct ByLength;

impl Weighter<[u8; 32], Arc<str>> for ByLength {
    fn weight(&self, _: &[u8; 32], html: &Arc<str>) -> u64 {
        html.len() as u64 + 64
    }
}

/// Renderings by the digest of their text.
pub(crate) struct Renderings(Cache<[u8; 32], Arc<str>, ByLength>);

impl Renderings {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(CACHE_ENTRIES, CACHE_BYTES_MAX, ByLength))
    }
}

impl App {
    /// The long texts of a box as HTML.
    pub(crate) async fn render_box(
        &self,
        description: &str,
        readme: Option<&str>,
    ) -> Result<RenderedBoxView> {
        Ok(RenderedBoxView {
            description: self.render(description).await?,
            readme: match readme {
                Some(readme) => Some(self.render(readme).await?),
                None => None,
            },
        })
    }

    /// The long texts of a version as HTML.
    pub(crate) async fn render_version(
        &self,
        description: &str,
        notes: &str,
    ) -> Result<RenderedVersionView> {
        let release_notes = if notes.is_empty() { None } else { Some(self.render(notes).await?) };
        Ok(RenderedVersionView { description: self.render(description).await?, release_notes })
    }

    /// A text as HTML.
    pub(super) async fn render(&self, text: &str) -> Result<String> {
        let key: [u8; 32] = Sha256::digest(text).into();
        if let Some(html) = self.renderings.0.get(&key) {
            return Ok(html.to_string());
        }
        let text = text.to_owned();
        let html =
            tokio::task::spawn_blocking(move || render(&text)).await.map_err(AppError::internal)?;
        self.renderings.0.insert(key, html.as_str().into());
        Ok(html)
    }
}

/// Markdown to safe HTML.
fn render(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut html = String::with_capacity(text.len() * 2);
    push_html(&mut html, Tamed::new(Parser::new_ext(text, options)));
    sanitize(&html)
}

/// What is on the lists, and nothing else, whatever the HTML is made of.
fn sanitize(html: &str) -> String {
    Builder::default()
        .tags(ELEMENTS.iter().copied().collect())
        .tag_attributes(
            [("a", HashSet::from(["href", "title"])), ("ol", HashSet::from(["start"]))].into(),
        )
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("nofollow noopener noreferrer"))
        .clean(html)
        .to_string()
}

/// The events of a text without HTML, pictures, and too much of anything.
struct Tamed<'a> {
    events: Parser<'a>,
    /// For each open element, whether it is shown.
    open: Vec<bool>,
    depth: usize,
    links: usize,
    left: usize,
}

impl<'a> Tamed<'a> {
    fn new(events: Parser<'a>) -> Self {
        Self { events, open: Vec::new(), depth: 0, links: 0, left: EVENTS_MAX }
    }

    fn start(&mut self, tag: Tag<'a>) -> Option<Event<'a>> {
        let tag = match tag {
            Tag::Image { link_type, dest_url, title, id } => {
                Tag::Link { link_type, dest_url, title, id }
            }
            tag => tag,
        };
        let is_link = matches!(tag, Tag::Link { .. });
        // a link holds no link, as a picture within one would be
        let shown = self.depth < DEPTH_MAX && !(is_link && self.links > 0);
        self.open.push(shown);
        self.links += usize::from(is_link);
        self.depth += usize::from(shown);
        shown.then_some(Event::Start(tag))
    }

    fn end(&mut self, tag: TagEnd) -> Option<Event<'a>> {
        let tag = if tag == TagEnd::Image { TagEnd::Link } else { tag };
        let shown = self.open.pop().unwrap_or_default();
        self.links = self.links.saturating_sub(usize::from(tag == TagEnd::Link));
        self.depth = self.depth.saturating_sub(usize::from(shown));
        shown.then_some(Event::End(tag))
    }
}

impl<'a> Iterator for Tamed<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            self.left = self.left.checked_sub(1)?;
            let event = match self.events.next()? {
                Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
                Event::Start(tag) => self.start(tag),
                Event::End(tag) => self.end(tag),
                event => Some(event),
            };
            if event.is_some() {
                return event;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_the_html_that_it_means() {
        let text = "# Title\n\nA *small* **box** with `code`, ~~no~~.\n\n1. one\n2. two\n\n\
                    | a | b |\n|---|---|\n| c | d |\n\n```sh\nvagrant up <x>\n```\n\n> said";
        let html = render(text);
        for part in [
            "<h1>Title</h1>",
            "<em>small</em>",
            "<strong>box</strong>",
            "<code>code</code>",
            "<del>no</del>",
            "<li>one</li>",
            "<th>a</th>",
            "<td>d</td>",
            "<pre><code>vagrant up &lt;x&gt;\n</code></pre>",
            "<blockquote>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    /// The opened elements with their attributes, read as HTML is written here: values stand in double quotes.
    fn elements(html: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
        let mut found = Vec::new();
        let mut rest = html;
        while let Some((_, tag)) = rest.split_once('<') {
            let end = tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '/').unwrap();
            let (name, mut inside) = tag.split_at(end);
            let mut attributes = Vec::new();
            while let Some(attribute) = inside.strip_prefix(' ') {
                let (name, value) = attribute.split_once("=\"").unwrap();
                let (value, after) = value.split_once('"').unwrap();
                attributes.push((name, value));
                inside = after;
            }
            rest = inside.strip_prefix('>').unwrap_or_else(|| panic!("{inside} in {html}"));
            if !name.starts_with('/') {
                found.push((name, attributes));
            }
        }
        found
    }

    #[test]
    fn nothing_that_runs_or_loads_comes_out() {
        for text in [
            "<script>alert(1)</script>",
            "<scr\0ipt>alert(1)</scr\0ipt>",
            "<ScRiPt\n>alert(1)</sCrIpT\n>",
            "<template><script>alert(1)</script></template>",
            "x <img src=x onerror=alert(1)> y",
            "<img src=`x` onerror=alert(1)//",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<object data=\"data:text/html,<script>alert(1)</script>\"></object>",
            "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
            "<base href=\"https://evil.example/\">",
            "<form action=\"https://evil.example\"><input type=password><button>Sign in</button></form>",
            "<svg/onload=alert(1)>",
            "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
            "<style>*{background:url(https://evil.example)}</style>",
            "<a href=\"https://a.example\" onclick=\"alert(1)\">x</a>",
            "<a href=\"javas&#99;ript:alert(1)\">x</a>",
            "<p style=\"position:fixed;inset:0\" class=overlay id=app>x</p>",
            "![tracked](https://evil.example/pixel.png)",
            "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
            "![x\" onerror=\"alert(1)](https://a.example)",
            "[![badge](https://evil.example/b.svg)](https://a.example)",
            "[x](https://a.example \"t\\\" onmouseover=\\\"alert(1)\")",
            "[x](https://a.example/\"onmouseover=alert(1))",
            "[x](<https://a.example/\"><script>alert(1)</script>>)",
            "<https://a.example/\"onmouseover=alert(1)>",
            "<!-- --!><script>alert(1)</script> -->",
            "<![CDATA[<script>alert(1)</script>]]>",
            "<?php <script>alert(1)</script> ?>",
            "<details open ontoggle=alert(1)>",
            "</code></pre><script>alert(1)</script>",
            "```x\" onmouseover=\"alert(1)\ny\n```",
            "```\"><script>alert(1)</script>\nx\n```",
            "`</code><script>alert(1)</script>`",
            "# <script>alert(1)</script>",
            "| <img src=x onerror=alert(1)> |\n|---|",
            "|a|\n|:-:|\n|</td></table><svg onload=alert(1)>|",
            // what a browser makes something else of when it reads it a second time
            "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
            "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
            "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
            "<xmp></xmp><textarea></textarea><title><img src=x onerror=alert(1)></title>",
            "<p title=\"</textarea><img src=x onerror=alert(1)>\">",
        ] {
            let html = render(text);
            for (name, attributes) in elements(&html) {
                assert!(ELEMENTS.contains(&name), "{name} of {text:?}: {html}");
                for (attribute, value) in attributes {
                    let harmless = match attribute {
                        "href" => value.starts_with("https://") || value.starts_with("mailto:"),
                        "title" | "rel" | "start" => true,
                        _ => false,
                    };
                    assert!(harmless, "{attribute} of {text:?}: {html}");
                }
            }
            assert_eq!(sanitize(&html), html, "it means the same to whoever reads it again");
        }
    }

    #[test]
    fn links_lead_out_and_tell_nothing() {
        let html =
            render("[a](https://a.example/x) <mailto:b@example.org> ![c](https://c.example/d.png)");
        let rel = "rel=\"nofollow noopener noreferrer\"";
        assert_eq!(html.matches(rel).count(), 3, "{html}");
        assert!(
            html.contains("<a href=\"https://c.example/d.png\""),
            "a picture is a link: {html}"
        );
        for target in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "&#106;avascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "//evil.example",
            "/api/user",
            "\\\\evil.example",
            "file:///etc/passwd",
        ] {
            for text in [
                format!("[x]({target})"),
                format!("[x][r]\n\n[r]: <{target}>"),
                format!("<{target}>"),
            ] {
                let html = render(&text);
                assert!(!html.contains("href"), "{target}: {html}");
            }
        }
    }

    #[test]
    fn a_short_text_cannot_make_a_huge_page() {
        let wide = "|a".repeat(2_000);
        let table = format!("{wide}|\n{}|\n{}", "|-".repeat(2_000), "|x|\n".repeat(20_000));
        for text in [
            ">".repeat(100_000),
            "- ".repeat(50_000),
            "*a ".repeat(50_000),
            "[".repeat(100_000),
            "`".repeat(100_000),
            table,
            format!("{}\n\n[r]: https://a.example/{}", "[r]".repeat(20_000), "x".repeat(100_000)),
        ] {
            let html = render(&text);
            assert!(html.len() <= 4 << 20, "{} bytes of {}", html.len(), text.len());
        }
        let nested = render(&format!("{}deep", "> ".repeat(1_000)));
        assert!(nested.contains("deep") && nested.matches("<blockquote>").count() <= DEPTH_MAX);
    }
}
