<!doctype html>
<title>hello</title>
% for name in names:
<h1>hello, {{name}}</h1>
% end
