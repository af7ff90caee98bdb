-- Debian's list of modules, save for `limits`, which would allow each connection 10 kB a second.
modules_enabled = {
	"disco", "roster", "saslauth", "tls", "blocklist", "bookmarks", "carbons", "dialback", "pep",
	"private", "smacks", "vcard4", "vcard_legacy", "csi_simple", "invites", "invites_adhoc",
	"invites_register", "ping", "register", "time", "uptime", "version", "admin_adhoc",
	"admin_shell", "posix",
}
archive_expires_after = "1w"

-- A folder and a port of our own, no other servers, no TLS, and only errors in the log.
data_path = "$folder/data"
pidfile = "$folder/prosody.pid"
run_as_root = true
interfaces = { "127.0.0.1" }
c2s_ports = { $port }
c2s_direct_tls_ports = {}
s2s_ports = {}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
log = { error = "$folder/prosody.log" }

-- Debian has `internal_hashed`.
authentication = "internal_plain"

VirtualHost "localhost"
