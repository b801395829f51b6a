% include("head", title=title)
<ul>
% for number, item in enumerate(items):
  <li>{{number}}: {{item}}</li>
% end
</ul>
{{!"<b>raw</b>"}}
