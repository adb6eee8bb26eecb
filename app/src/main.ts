/** The page: files go in, a worker colors them, and one is shown. */

import { Album } from "./album";
import type { Order, Report } from "./messages";
import { Viewer } from "./viewer";

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const status = element("status");
const files = element<HTMLInputElement>("files");
const drop = element("drop");

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const viewer = new Viewer();
const album = new Album((photograph) => viewer.show(photograph));

viewer.onChange = (id) => {
  const photograph = album.get(id);
  photograph.state = "waiting";
  album.refresh(photograph);
  order(id, photograph.file);
};
viewer.onDownloadAll = () => album.colored().forEach((photograph) => viewer.download(photograph));

worker.onmessage = ({ data }: MessageEvent<Report>) => hear(data);
worker.onerror = () => (status.textContent = "The page could not be started: this browser is too old, or files are missing.");
files.onchange = () => {
  add(files.files);
  files.value = ""; // so that the same file can be chosen again
};
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  add(event.dataTransfer?.files ?? null);
});

function add(chosen: FileList | null): void {
  for (const file of chosen ?? []) order(album.add(file), file);
}

function order(id: number, file: File): void {
  worker.postMessage({ id, file, ...viewer.settings() } satisfies Order);
}

function hear(report: Report): void {
  if (report.kind === "ready") {
    viewer.setSizes(report.size, report.smallest);
    status.textContent = "";
    return;
  }
  if (report.kind === "broken") {
    status.textContent = `Nothing can be colored: ${report.reason}.`;
    return;
  }
  const photograph = album.get(report.id);
  if (report.kind === "progress") photograph.done = report.done;
  else if (report.kind === "failed") photograph.reason = report.reason;
  else viewer.keep(photograph, report.blob, report.name);
  photograph.state = report.kind;
  album.refresh(photograph);
  viewer.refresh(photograph, album.colored().length);
  status.textContent = album.summary();
}
