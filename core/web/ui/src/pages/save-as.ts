// Files that need a token to be fetched: a plain link could not send it.
import { accessToken } from "../api/client.ts";
import { asProblem, Problem } from "../api/problem.ts";
import { toast } from "../ui/toast.tsx";

export async function saveAs(path: string, fileName: string): Promise<void> {
  try {
    const token = await accessToken();
    const reply = await fetch(path, { headers: token ? { authorization: `Bearer ${token}` } : {} });
    if (!reply.ok) throw new Problem(reply.status, await reply.json());
    saveBlob(await reply.blob(), fileName);
  } catch (thrown) {
    toast(asProblem(thrown).message, "bad");
  }
}

export function saveBlob(blob: Blob, fileName: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName;
  link.click();
  URL.revokeObjectURL(link.href);
}
