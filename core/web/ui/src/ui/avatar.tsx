// Who or what something is, small: their picture, or the letter that their name begins with.
interface AvatarProps {
  name: string;
  url?: string | null;
  /** Inside of something round already. */
  bare?: boolean;
  look?: string;
}

export function Avatar({ name, url, bare, look = "" }: AvatarProps) {
  const content = url ? <img src={url} alt="" /> : <span aria-hidden>{name.charAt(0).toUpperCase()}</span>;
  return bare ? content : <span className={`avatar ${look}`}>{content}</span>;
}
