/** The list of photographs, of which one is chosen. */

export interface Photograph {
  id: number;
  file: File;
  original: string; // address of the file within the page
  state: "waiting" | "progress" | "colored" | "failed";
  done: number; // share of the work
  reason?: string; // why it failed
  colored?: { address: string; name: string };
}

const WORDS = {
  waiting: () => "waiting",
  progress: ({ done }: Photograph) => `coloring, ${Math.round(100 * done)} %`,
  colored: () => "colored",
  failed: ({ reason }: Photograph) => `failed: ${reason}`,
};

export class Album {
  private readonly list = document.getElementById("list")!;
  private readonly photographs: Photograph[] = [];
  private readonly buttons: HTMLButtonElement[] = [];

  constructor(private readonly choose: (photograph: Photograph) => void) {}

  /** Add a file and return its id; the first is chosen. */
  add(file: File): number {
    const id = this.photographs.length;
    const photograph: Photograph = { id, file, original: URL.createObjectURL(file), state: "waiting", done: 0 };
    const button = document.createElement("button");
    button.type = "button";
    button.append(span("name", file.name), document.createElement("progress"), span("state"));
    button.onclick = () => this.select(id);
    const item = document.createElement("li");
    item.append(button);
    this.list.append(item);
    this.photographs.push(photograph);
    this.buttons.push(button);
    this.refresh(photograph);
    if (id === 0) this.select(id);
    return id;
  }

  get(id: number): Photograph {
    return this.photographs[id];
  }

  colored(): Photograph[] {
    return this.photographs.filter(({ colored }) => colored);
  }

  /** Show the state of a photograph. */
  refresh(photograph: Photograph): void {
    const button = this.buttons[photograph.id];
    button.dataset.state = photograph.state;
    button.querySelector(".state")!.textContent = WORDS[photograph.state](photograph);
    const progress = button.querySelector("progress")!;
    progress.value = photograph.done;
    progress.hidden = photograph.state !== "progress";
    progress.setAttribute("aria-label", `Progress of ${photograph.file.name}`);
  }

  summary(): string {
    const failed = this.photographs.filter(({ state }) => state === "failed").length;
    const colored = this.photographs.filter(({ state }) => state === "colored").length;
    return `${colored} of ${this.photographs.length} colored${failed ? `, ${failed} failed` : ""}`;
  }

  private select(id: number): void {
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === id)));
    this.choose(this.photographs[id]);
  }
}

function span(name: string, text = ""): HTMLSpanElement {
  const made = document.createElement("span");
  made.className = name;
  made.textContent = text;
  return made;
}
