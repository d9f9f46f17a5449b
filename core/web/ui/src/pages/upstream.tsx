/** A registry elsewhere, by its address; only what is one is a link. */
export function Upstream({ url }: { url: string }) {
  const text = url.replace(/^https?:\/\//, "");
  if (!/^https?:\/\//.test(url)) return <span className="break-all">{text}</span>;
  return (
    <a href={url} rel="nofollow noopener noreferrer" className="break-all">
      {text}
    </a>
  );
}
