/** Every status, in the order of a board. */
export const statuses = ['open', 'todo', 'in_progress', 'review', 'done', 'closed'] as const
export type Status = (typeof statuses)[number]

/** Every priority, the least first. */
export const priorities = ['low', 'normal', 'high', 'urgent'] as const

/** Which status may follow which; `done` and `closed` (will not be done) are finished. Source: the API's contract. */
export const flow: Readonly<Record<Status, readonly Status[]>> = {
  open: ['todo', 'in_progress', 'closed'],
  todo: ['open', 'in_progress', 'closed'],
  in_progress: ['todo', 'review', 'done', 'closed'],
  review: ['in_progress', 'done', 'closed'],
  done: ['todo', 'in_progress'],
  closed: ['open']
}

/** Whether a task of this status needs nobody any more. */
export const isFinished = (status?: string): boolean => status === 'done' || status === 'closed'

/** An open task that nobody has touched for this many days is stalled, unless the caller says another number. */
export const STALLED_AFTER_DAYS = 7

/** What is due on one of so many days after today, or today, is due soon. */
export const DUE_SOON_DAYS = 7

/** The same person reminds the holder of the same hold once in so many minutes. */
export const NUDGE_AGAIN_AFTER_MINUTES = 10

/** The most changes of one bulk request. */
export const MOST_CHANGES = 500
