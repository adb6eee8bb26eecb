/** What the page and its worker tell each other. */

export interface Order {
  id: number; // of the photograph
  file: File;
  size: number | null; // short side in pixels at which color is predicted; null: the model's own
  saturation: number;
}

export type Report =
  | { kind: "ready"; size: number; smallest: number }
  | { kind: "broken"; reason: string }
  | { kind: "progress"; id: number; done: number }
  | { kind: "colored"; id: number; blob: Blob; name: string }
  | { kind: "failed"; id: number; reason: string };
