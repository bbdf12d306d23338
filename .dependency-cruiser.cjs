// What may import what. docs/architecture.md says it in words; this is what holds.
const modules = ['users', 'roles', 'projects', 'companies', 'calendar', 'tasks', 'notifications', 'activity', 'reports', 'search', 'jobs', 'accounts', 'tokens', 'guest-links', 'audit']

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'migrations-stand-alone', severity: 'error', from: { path: '^migrations/' }, to: { pathNot: '(^|/)kysely(/|$)' } },
    { name: 'plugins-know-no-module', severity: 'error', from: { path: '^plugins/' }, to: { path: '^(modules|commands|embedded|demo)/' } },
    { name: 'modules-know-no-command', severity: 'error', from: { path: '^modules/' }, to: { path: '^(commands|embedded|demo|migrations)/' } },
    { name: 'shared-knows-no-module', severity: 'error', from: { path: '^modules/shared/' }, to: { path: '^modules/(?!shared/)' } },
    ...modules.map((name) => ({
      name: `${name}-only-by-its-index`,
      severity: 'error',
      from: { path: '^modules/', pathNot: `^modules/(${name}/|index)` },
      to: { path: `^modules/${name}/`, pathNot: `^modules/${name}/index\\.ts$` }
    })),
    {
      name: 'what-only-reads-is-downstream',
      severity: 'error',
      from: { path: '^modules/', pathNot: '^modules/(index|notifications/|reports/|search/)' },
      to: { path: '^modules/(notifications|reports|search)/' }
    },
    { name: 'only-config-reads-the-environment', severity: 'error', from: { path: '^(app\\.ts|modules/)' }, to: { path: '^(node:)?process$' } },
    { name: 'the-supervisor-and-the-demo-stand-alone', severity: 'error', from: { path: '^(embedded|demo)/' }, to: { path: '^(app\\.ts|server\\.ts|plugins|modules|commands)(/|$)' } },
    { name: 'nothing-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    { name: 'no-development-package-in-the-service', severity: 'error', from: { path: '^(app|server|plugins|modules|migrations|embedded|demo)' }, to: { dependencyTypes: ['npm-dev'] } }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'], conditionNames: ['import', 'node', 'default', 'types'], exportsFields: ['exports'] }
  }
}
