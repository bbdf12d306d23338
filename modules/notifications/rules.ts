export type NotificationKind = 'task_assigned' | 'ball_received' | 'mentioned'

/** One person whom one event concerns, and as what. */
export interface Concern { event_id: string, user_id: string, type: NotificationKind }

/** The more a notification asks of a person, the sooner it is the one that they get. */
const weight: Record<NotificationKind, number> = { ball_received: 3, task_assigned: 2, mentioned: 1 }

/** One event tells one person one thing: the one that asks most of them. */
export function onePerPerson<C extends Concern> (concerns: C[]): C[] {
  const kept = new Map<string, C>()
  for (const concern of concerns) {
    const key = `${concern.event_id} ${concern.user_id}`
    const other = kept.get(key)
    if (other === undefined || weight[concern.type] > weight[other.type]) kept.set(key, concern)
  }
  return [...kept.values()]
}
