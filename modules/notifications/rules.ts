/** What a person can be told, what asks most of them first. */
export const kinds = ['ball_overdue', 'ball_unacknowledged', 'ball_nudged', 'ball_received', 'task_assigned', 'task_overdue', 'mentioned', 'commented', 'task_changed', 'task_idle'] as const
export type NotificationKind = (typeof kinds)[number]

/** What comes by e-mail unless a person says otherwise: what asks them for something. */
export const emailedByDefault: readonly NotificationKind[] = ['ball_overdue', 'ball_unacknowledged', 'ball_nudged', 'ball_received', 'task_assigned', 'task_overdue', 'mentioned']

/** One person whom one event concerns, and as what. */
export interface Concern { event_id: string, user_id: string, type: NotificationKind }

/** One event tells one person one thing: the one that asks most of them. */
export function onePerPerson<C extends Concern> (concerns: C[]): C[] {
  const kept = new Map<string, C>()
  for (const concern of concerns) {
    const key = `${concern.event_id} ${concern.user_id}`
    const other = kept.get(key)
    if (other === undefined || kinds.indexOf(concern.type) < kinds.indexOf(other.type)) kept.set(key, concern)
  }
  return [...kept.values()]
}

/** What happens to one task within this time tells a person of each kind once, as long as they have not read it. */
export const COALESCE_MS = 5 * 60_000

/** One thing that a person is to be told. */
export interface Told extends Concern { task_id: string, at: string }

/** A notification that may take up more: the person's newest of its kind and task, unread. */
export interface Standing { id: string, user_id: string, type: string, task_id: string, created_at: string }

/** One notification to write: the newest event, of how many, since when, and the notification that takes it up, if any. */
export type Telling<T extends Told> = T & { onto: string | null, event_count: number, began_at: string }

/**
 * Puts together what is told of one task in a short time. The time runs from the first event of a notification, so that a
 * task that changes without end still tells every five minutes.
 * @param told in the order of positions
 */
export function coalesce<T extends Told> (told: T[], standing: Standing[]): Telling<T>[] {
  const keyOf = ({ user_id: user, type, task_id: task }: Pick<Standing, 'user_id' | 'type' | 'task_id'>) => `${user} ${type} ${task}`
  const open = new Map<string, { since: number, onto: string | null, telling?: number }>()
  for (const one of standing) open.set(keyOf(one), { since: Date.parse(one.created_at), onto: one.id })
  const tellings: Telling<T>[] = []
  for (const one of told) {
    const at = Date.parse(one.at)
    let window = open.get(keyOf(one))
    if (window === undefined || at - window.since >= COALESCE_MS) open.set(keyOf(one), window = { since: at, onto: null })
    const before = window.telling === undefined ? undefined : tellings[window.telling]
    const telling = { ...one, onto: window.onto, event_count: (before?.event_count ?? 0) + 1, began_at: before?.began_at ?? one.at }
    window.telling ??= tellings.length
    tellings[window.telling] = telling
  }
  return tellings
}
