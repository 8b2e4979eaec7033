// striper server and striper client: the two ends of a tunnel of many lanes.

import type { Command } from '../command.ts'
import { EventLog, LOG_OPTIONS } from '../log.ts'
import { noWords } from '../option.ts'
import { runClient, runServer } from '../run.ts'
import { runService } from '../service.ts'
import { Screen } from '../terminal.ts'
import {
  CLIENT_OPTIONS,
  clientSettings,
  SERVER_OPTIONS,
  serverSettings,
} from '../tunnel-options.ts'

const ALL_SERVER_OPTIONS = { ...SERVER_OPTIONS, ...LOG_OPTIONS }
const ALL_CLIENT_OPTIONS = { ...CLIENT_OPTIONS, ...LOG_OPTIONS }

export const server: Command<typeof ALL_SERVER_OPTIONS> = {
  name: 'server',
  summary: 'the far end of a tunnel: takes lanes, and connects to what clients ask for',
  usage: ['server [--listen ADDRESS]... [--allow RULE]... [options]'],
  text: `
Takes lanes of clients that have its key, and connects to what they ask for, as far as --allow goes. It
is for nobody else: without a key it does not start, and without --allow it reaches nothing.

--allow RULE, as often as there are targets:
  example.org:443       that name, at that port; not where it resolves to a private address
  192.0.2.7:*           that address, at every port but 25
  10.1.0.0/16:22        all of that network
  [fd00::7]:80          IPv6 in brackets, [fd00::/8]:80 too
  localhost:5432        this machine, by that name; 127.0.0.1:5432 by its address
Both the name and every address that it resolves to are judged, and what was judged is dialled. Private,
local and reserved addresses (10.x, 127.x, 169.254.x, ...) are opened only by a rule that lies within
them: 0.0.0.0/0:* is the internet, and not your network. A name of which one address is allowed and
another is not is refused. A RULE with a star has to be quoted in a shell.

--allow-listen RULE, for clients with -R:
  8080                  the server's 127.0.0.1, port 8080
  192.0.2.7:8080        that address of the server
  :8080                 every address of the server: whoever reaches it reaches the client's target

The key is that of --key-file (- is stdin; several files are several keys), or in STRIPER_KEY, or in the
default file of "striper key new"; the first of these that is there. Certificates instead: all of --cert,
--cert-key and --ca. --config reads the same options, by the same names, from a file; the command line
wins.

  striper server --listen :7000 --allow 127.0.0.1:80 --allow 10.1.0.0/16:22
`,
  options: ALL_SERVER_OPTIONS,
  file: true,
  async run(values, words, { env }) {
    noWords(words)
    const log = new EventLog(values, new Screen(process.stderr))
    await runService(serverSettings(values, env), runServer, log)
  },
}

export const client: Command<typeof ALL_CLIENT_OPTIONS> = {
  name: 'client',
  summary: 'the near end: keeps lanes up to a server, and forwards connections over all of them',
  usage: ['client --server ADDRESS... [-L FORWARD]... [-R FORWARD]... [--bind PLACE]... [options]'],
  text: `
Keeps lanes up to a server, and stripes each forwarded connection over all of them. A lane that is lost
is dialled again, and no byte is lost with it.

-L [BIND:]PORT:HOST:PORT  connections to BIND:PORT here are made to HOST:PORT by the server
-R [BIND:]PORT:HOST:PORT  connections to BIND:PORT at the server are made to HOST:PORT from here
BIND is 127.0.0.1 unless you say otherwise; * is every address (in quotes, for the shell).

--bind PLACE, once for each address or interface:
ADDRESS[:PORT]|INTERFACE[*N][,weight=W][,backup][,budget=SIZE]
  192.0.2.7             one lane from that address of this machine
  192.0.2.7:5000        and from that port; [V6]:PORT too
  eth0*4                four from that interface, whatever its addresses are just now
  wwan0,backup          used only while no other lane works
  wwan0,budget=5G       and no more than 5 GB over it
Without --bind, --lanes says how many, from wherever the system likes.

The key is that of --key-file (- is stdin), or in STRIPER_KEY, or in the default file of "striper key
new"; the first of these that is there. Certificates instead: all of --cert, --cert-key and --ca.
--config reads the same options, by the same names, from a file; the command line wins.

  striper client --server far.example:7000 --lanes 8 -L 8080:127.0.0.1:80
  striper client --server far.example:7000 --bind eth0 --bind 'wlan0*2' -L 8080:127.0.0.1:80
`,
  options: ALL_CLIENT_OPTIONS,
  file: true,
  async run(values, words, { env }) {
    noWords(words)
    const log = new EventLog(values, new Screen(process.stderr))
    await runService(clientSettings(values, env), runClient, log)
  },
}
