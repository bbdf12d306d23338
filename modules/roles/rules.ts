import createError from '@fastify/error'

export const SystemRole = createError('EDEN_SYSTEM_ROLE', 'a role that ships with the system cannot be deleted', 409)
export const AdministratorWhole = createError('EDEN_ADMINISTRATOR_WHOLE', 'the role admin keeps every permission', 409)
