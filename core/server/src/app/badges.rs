//! What a box shows of its success: how often it was fetched, and a badge for other people's pages.

use boxvault_catalog::{boxes::OwnedBox, downloads, versions};
use boxvault_types::{
    params::boxes::VersionStatus,
    views::boxes::{BoxDownloadsView, DayDownloadsView, VersionDownloadsView},
};
use chrono::Days;

use super::App;
use crate::error::Result;

/// How far back days are told.
const DAYS: u64 = 90;
/// The colors of a badge: of its left half, of what is well, of what should not be used any more, of nothing.
const LABEL: &str = "#555";
const WELL: &str = "#0a7bbb";
const DEPRECATED: &str = "#b45309";
const NOTHING: &str = "#6b7280";

/// What a badge tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Badge {
    /// The newest released version.
    Version,
    /// How often the box was fetched.
    Downloads,
}

impl App {
    /// How often a box was fetched, with the versions of one status or of all.
    pub(crate) async fn box_downloads(
        &self,
        found: &OwnedBox,
        status: Option<VersionStatus>,
    ) -> Result<BoxDownloadsView> {
        let id = found.vagrant_box.id;
        let today = self.catalog.now().date_naive();
        let since = today.checked_sub_days(Days::new(DAYS)).unwrap_or(today);
        let versions = downloads::by_version(&self.catalog, id, status).await?;
        let days = downloads::by_day(&self.catalog, id, since).await?;
        Ok(BoxDownloadsView {
            download_count: unsigned(found.vagrant_box.downloads),
            versions: versions
                .into_iter()
                .map(|(number, count)| VersionDownloadsView {
                    version_number: number.to_string(),
                    download_count: unsigned(count),
                })
                .collect(),
            days: days
                .into_iter()
                .map(|(day, count)| DayDownloadsView { day, download_count: unsigned(count) })
                .collect(),
        })
    }

    /// The badge of a box, as SVG.
    pub(crate) async fn badge(&self, found: &OwnedBox, badge: Badge) -> Result<String> {
        let name = format!("{}/{}", found.organization.name, found.vagrant_box.name);
        if badge == Badge::Downloads {
            let count = unsigned(found.vagrant_box.downloads);
            return Ok(draw(&format!("{name} downloads"), &rounded(count), WELL));
        }
        let newest = versions::find_newest_released(&self.catalog, found.vagrant_box.id).await?;
        Ok(match newest {
            Some(version) if version.deprecation.is_some() => {
                draw(&name, &format!("{} deprecated", version.number), DEPRECATED)
            }
            Some(version) => draw(&name, version.number.as_str(), WELL),
            None => draw(&name, "no release", NOTHING),
        })
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// A number as a badge has room for it: `12345` is `12k`.
fn rounded(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

/// Two texts side by side. Nothing is loaded, nothing runs; texts are escaped, whatever they may hold by now.
fn draw(label: &str, value: &str, color: &str) -> String {
    let width = |text: &str| text.chars().count() * 7 + 12;
    let (left, right) = (width(label), width(value));
    let whole = left + right;
    let (label, value) = (escape(label), escape(value));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" \
         aria-label=\"{label}: {value}\"><title>{label}: {value}</title>\
         <rect width=\"{left}\" height=\"20\" fill=\"{LABEL}\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{color}\"/>\
         <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
         <text x=\"{}\" y=\"14\">{label}</text><text x=\"{}\" y=\"14\">{value}</text></g></svg>",
        left / 2,
        left + right / 2,
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_holds_texts_and_nothing_else() {
        let svg = draw("a<b>\"'&", "<script>", WELL);
        assert!(svg.contains("a&lt;b&gt;&quot;&#39;&amp;: &lt;script&gt;"), "{svg}");
        assert!(!svg.contains("<script") && !svg.contains("href"), "{svg}");
    }

    #[test]
    fn large_numbers_are_rounded_down() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1k"), (1_999_999, "1M")] {
            assert_eq!(rounded(count), text);
        }
    }
}
