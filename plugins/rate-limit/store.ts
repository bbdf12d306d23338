/** What is counted since the last time, in one bucket: what one person or address asked within one window. */
export interface Hits { bucket: string, count: number, expiresAt: Date }

/** Where instances add up what each of them counts. */
export interface Store {
  /** Adds to buckets. @returns for each what all instances have counted there so far */
  add: (hits: Hits[]) => Promise<Map<string, number>>
  close: () => Promise<void>
}
