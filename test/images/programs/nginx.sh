# nginx with two workers serves files, ranges and a listing to curl, over HTTP and TLS with a certificate that openssl made.
mkdir -p /tmp/n/www/folder && cd /tmp/n
seq 100000 >www/numbers
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
cat >conf <<'NGINX'
worker_processes 2; pid /tmp/n/pid; error_log /tmp/n/error; daemon on;
events { }
http { access_log /tmp/n/access; client_body_temp_path /tmp/n/b; proxy_temp_path /tmp/n/p; fastcgi_temp_path /tmp/n/f; uwsgi_temp_path /tmp/n/u; scgi_temp_path /tmp/n/s;
  server { listen unix:/tmp/n/plain; root /tmp/n/www; autoindex on; }
  server { listen unix:/tmp/n/secure ssl; ssl_certificate cert; ssl_certificate_key key; root /tmp/n/www; } }
NGINX
nginx -p /tmp/n -c conf -e /tmp/n/error 2>/dev/null
curl -sf --unix-socket plain http://localhost/numbers | cmp - www/numbers
test "$(curl -sf --unix-socket plain -r 0-3 http://localhost/numbers | tr '\n' ' ')" = '1 2 '
curl -sf --unix-socket plain http://localhost/ | grep -q 'href="folder/"'
curl -sf --unix-socket secure --cacert cert https://localhost/numbers | cmp - www/numbers
kill "$(cat pid)"; while test -e pid; do sleep 0.1; done
