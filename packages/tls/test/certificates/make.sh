#!/bin/bash
# Made the files here, once, with OpenSSL 3.0: two authorities, and for each a server `exit.test` and a
# client. They are good until 2126, and good for nothing but these tests.
set -euo pipefail
cd "$(dirname "$0")"
for name in ours other; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 \
    -subj "/CN=striper test authority, $name" -keyout "$name-ca.key" -out "$name-ca.pem"
  for who in server client; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$who" \
      -keyout "$name-$who.key" -out request.tmp
    printf 'subjectAltName=DNS:exit.test\nextendedKeyUsage=%sAuth\n' "$who" > extensions.tmp
    openssl x509 -req -in request.tmp -CA "$name-ca.pem" -CAkey "$name-ca.key" -CAcreateserial \
      -days 36500 -extfile extensions.tmp -out "$name-$who.pem"
  done
done
rm -f ./*.tmp ./*.srl ./*-ca.key
