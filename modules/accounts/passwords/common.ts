/**
 * The commonest passwords of twelve characters or more, and the words that shorter ones become long with: lower case, letters and
 * digits only, without the digits at their end. What repeats itself or counts is known by rule.
 */
export const commonest: ReadonlySet<string> = new Set(`
password passwordpassword passw0rd passwort motdepasse contrasena administrator administrador administrateur changeme changemenow
changethis letmein letmeinnow welcome welcomeback welcome1234 iloveyou iloveyousomuch iloveyouforever iloveyoubaby ilovemyself
ilovemyfamily ilovemymom sunshine princess football baseball basketball superman batman starwars dragon monkey shadow master
trustno1 whatever nothing computer internet qwertyuiop qwertyqwerty qwerty123456 1q2w3e4r5t6y 1qaz2wsx3edc q1w2e3r4t5y6 zaq12wsxcde3
1qazxsw23edc qazwsxedcrfv asdfghjkl asdfghjklzxc zxcvbnm abcdefghijkl abcd1234abcd abc123abc123 aaaaaaaaaaaa hellohello helloworld
correcthorsebatterystaple thisismypassword mypassword mynewpassword newpassword yourpassword thepassword secretpassword supersecret
topsecret adminadmin administrator123 rootroot testtesttest testpassword temppassword temporary defaultpassword guestguest
unknown nopassword password1password letmein123456 monkeymonkey jesuschrist godisgood godislove manchesterunited liverpoolfc
chelseafc realmadrid barcelona teamomucho tequieromucho azertyuiop azertyuiopqs
spring2024 summer2024 autumn2024 winter2024 springspring summersummer winterwinter montreal toronto vancouver canada torontomapleleafs
`.trim().split(/\s+/).map((word) => word.toLowerCase()))
