# Validates a value against a JSON Schema, as far as `nixos/runtime-modules/config.schema.json` uses the language.
# Returns a list of errors, each with its position.
{ lib }:
schemaFile:
let
  root = builtins.fromJSON (builtins.readFile schemaFile);

  types = {
    null = value: value == null;
    string = builtins.isString;
    integer = builtins.isInt;
    boolean = builtins.isBool;
    array = builtins.isList;
    object = builtins.isAttrs;
  };
  definition = reference: root."$defs".${lib.removePrefix "#/$defs/" reference};

  check =
    at: schema: value:
    if schema ? "$ref" then
      check at (definition schema."$ref") value
    else if schema ? anyOf || schema ? oneOf then
      let
        choices = schema.anyOf or schema.oneOf;
        # Reports the problems that an invalid value has as something other than null.
        meant = lib.filter (one: (one.type or null) != "null") choices;
      in
      if lib.any (one: check at one value == [ ]) choices then [ ] else check at (lib.last meant) value
    else
      lib.optional (
        schema ? type && !lib.any (type: types.${type} value) (lib.toList schema.type)
      ) "${at} is ${builtins.typeOf value}"
      ++ lib.optional (schema ? enum && !lib.elem value schema.enum) "${at} is ${builtins.toJSON value}"
      ++ lib.optional (schema ? const && value != schema.const) "${at} is ${builtins.toJSON value}"
      ++ lib.optional (
        schema ? minimum && builtins.isInt value && value < schema.minimum
      ) "${at} is ${toString value}"
      ++ lib.optional (
        schema ? pattern && builtins.isString value && builtins.match schema.pattern value == null
      ) "${at} is ${builtins.toJSON value}"
      ++ lib.optionals (schema ? items && builtins.isList value) (
        lib.concatLists (lib.imap1 (n: check "${at}[${toString (n - 1)}]" schema.items) value)
      )
      ++ lib.optionals (builtins.isAttrs value) (
        map (name: "${at} has no ${name}") (lib.filter (name: !(value ? ${name})) (schema.required or [ ]))
        # Unlike a reader, the writer must not add undescribed fields.
        ++ map (name: "${at}.${name} is not in the schema") (
          lib.optionals (schema ? properties) (
            lib.filter (name: !(schema.properties ? ${name})) (lib.attrNames value)
          )
        )
        ++ lib.concatMap (name: check "${at}.${name}" schema.properties.${name} value.${name}) (
          lib.filter (name: value ? ${name}) (lib.attrNames (schema.properties or { }))
        )
      );
in
check "config" root
