# Functions on lists.
{ ... }:
let
  inherit (builtins)
    elem
    elemAt
    foldl'
    genList
    isList
    length
    ;
in
{
  inherit (builtins)
    all
    any
    concatLists
    concatMap
    elem
    elemAt
    filter
    foldl'
    genList
    head
    isList
    length
    sort
    tail
    ;

  # A list with one element if the condition holds; `optionals` takes a list.
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];

  toList = value: if isList value then value else [ value ];

  last = list: elemAt list (length list - 1);

  reverseList = list: genList (i: elemAt list (length list - 1 - i)) (length list);

  # `map` with the index, counted from 1.
  imap1 = f: list: genList (i: f (i + 1) (elemAt list i)) (length list);

  range = first: final: if first > final then [ ] else genList (i: first + i) (final - first + 1);

  # The second list without the elements of the first.
  subtractLists = without: builtins.filter (value: !elem value without);

  # The list without duplicates, in order of first occurrence.
  unique = foldl' (kept: value: if elem value kept then kept else kept ++ [ value ]) [ ];
}
