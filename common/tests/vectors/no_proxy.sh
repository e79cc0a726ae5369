#!/bin/sh
# Asks the curl of this machine which way it goes: NO_PROXY|host|direct or proxy. Nothing leaves the machine.
#   sh no_proxy.sh > no_proxy.txt
set -eu

ask() {
    said=$(env -i PATH="$PATH" HTTPS_PROXY=http://127.0.0.1:1 NO_PROXY="$1" \
        curl -sv -m 2 --resolve '*:443:127.0.0.1' "https://$2/" 2>&1) || true
    case $said in
    *"env variable HTTPS_PROXY"*) echo "$1|$2|proxy" ;;
    *) echo "$1|$2|direct" ;;
    esac
}

echo "# $(curl --version | head -n 1 | cut -d ' ' -f 1-2). Made by no_proxy.sh."
for list in '*' 'x,*' '* ' a.example .a.example a.example. '*.example' a.example:443 'b.a.example,x' \
    'x a.example' 'x,a.example' 'x , a.example' "x$(printf '\t')a.example" A.EXAMPLE example . , ' ' 127.0.0.1; do
    ask "$list" a.example
done
ask a.example xa.example
ask a.example b.a.example
ask .a.example b.a.example
ask .a.example. b.a.example
ask a.example A.Example
ask ample a.example
for list in '*' 127.0.0.1 127.0.0.0/8 127.0.0.1/32 127.0.0.0/33 127.0.0.0/0 0.0.0.0/0 127.0.0.1/0 .127.0.0.1 \
    127.0.0.1:443 127.1 0.0.1 10.0.0.0/8 126.0.0.0/7 126.0.0.0/8 127.0.0.0/31 127.0.0.2/31 127.0.0.0/-8 localhost \
    '10.0.0.0/8,127.0.0.1'; do
    ask "$list" 127.0.0.1
done
for list in '*' ::1 '[::1]' ::2 1 '[::1]:443' 127.0.0.1; do
    ask "$list" '[::1]'
done
